"""Checks of a request's tensors against a signature, before anything large is made of them."""

import math

import numpy as np
import tensorflow as tf

from export.errors import ServingError
from export.session import dtype_of, shape_of


def check_names(signature, names):
    """Checks that a request has the inputs of the signature, no more and no fewer."""
    extra, missing = sorted(set(names) - set(signature.inputs)), sorted(set(signature.inputs) - set(names))
    if extra or missing:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"input size does not match signature. Sent extra: {{{','.join(extra)}}}. "
            f"Missing but required: {{{','.join(missing)}}}.",
        )


def check(name, dtype, shape, info, max_rows):
    """Checks type, rank, sizes and number of rows of one input."""
    expected_dtype, expected = np.dtype(dtype_of(info)), shape_of(info)
    if np.dtype(dtype) != expected_dtype:
        raise ServingError(
            "INVALID_ARGUMENT", f"Input {name!r} must be {expected_dtype}. Received: {np.dtype(dtype)}."
        )
    if expected is None:
        return
    fits = len(shape) == len(expected) and all(b in (None, a) for a, b in zip(shape, expected))
    if not fits:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"Input {name!r} must have shape {_text(expected)}. Received: {_text(shape)}.",
        )
    if shape and shape[0] > max_rows:
        raise ServingError(
            "RESOURCE_EXHAUSTED",
            f"A request has at most {max_rows} rows. Received: {shape[0]} in {name!r}. Send them in parts.",
        )


def _text(shape):
    return "[" + ", ".join("b" if size is None else str(size) for size in shape) + "]"


def check_rows(inputs):
    """Checks that all inputs have equally many rows."""
    rows = {name: value.shape[0] for name, value in inputs.items() if value.ndim}
    if len(set(rows.values())) > 1:
        raise ServingError("INVALID_ARGUMENT", f"Inputs must have equally many rows. Received: {rows}.")


def of_protos(signature, protos, max_rows):
    """`TensorProto`s of a request -> arrays by name, checked."""
    check_names(signature, protos)
    arrays = {name: _array(name, proto, signature.inputs[name], max_rows) for name, proto in protos.items()}
    check_rows(arrays)
    return arrays


def _array(name, proto, info, max_rows):
    shape = tuple(int(d.size) for d in proto.tensor_shape.dim)
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype).as_numpy_dtype
    except (TypeError, KeyError):
        dtype = np.dtype("V")
    if any(size < 0 for size in shape):
        raise ServingError(
            "INVALID_ARGUMENT", f"Input {name!r} has a negative size. Received: {_text(shape)}."
        )
    check(name, dtype, shape, info, max_rows)
    _check_content(name, proto, math.prod(shape), dtype)
    try:
        return tf.make_ndarray(proto)
    except (ValueError, TypeError) as error:
        raise ServingError("INVALID_ARGUMENT", f"Input {name!r} is not a tensor: {error}") from error


def _check_content(name, proto, size, dtype):
    """Without values the runtime would read zeros; a number of bytes must be that of the shape."""
    content = len(proto.tensor_content)
    if content and content != size * np.dtype(dtype).itemsize:
        raise ServingError("INVALID_ARGUMENT", f"Input {name!r} holds {content} bytes for {size} values.")
    values = sum(len(value) for field, value in proto.ListFields() if field.name.endswith("_val"))
    if size and not content and not 1 <= values <= size:
        raise ServingError("INVALID_ARGUMENT", f"Input {name!r} holds {values} values for {size}.")
