"""TensorFlow Serving's JSON: row form (`instances`), column form (`inputs`) and the rules for bytes.

Bytes are `{"b64": "..."}` in both directions; string outputs whose name ends in `_bytes` are sent so.
"""

import base64
import binascii
import json

import numpy as np
import orjson

from export import tensors
from export.errors import ServingError
from export.session import dtype_of, not_finite

_BYTES_SUFFIX = "_bytes"


def _invalid(message):
    return ServingError("INVALID_ARGUMENT", message)


def parse(body):
    """The JSON object of a request.

    Raises:
        ServingError: `INVALID_ARGUMENT`, unless it is an object with either `instances` or `inputs`.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise _invalid("JSON Value: Is not object")
    if not isinstance(request.get("signature_name", ""), str):
        raise _invalid("'signature_name' key must be a string value.")
    if ("instances" in request) == ("inputs" in request):
        raise _invalid("A request has one of the keys 'instances' and 'inputs'.")
    return request


def inputs(request, signature, max_rows):
    """Checked arrays by input name for a parsed request."""
    columns = _columns_of_rows if "instances" in request else _columns
    arrays = {}
    for name, values in columns(request, signature).items():
        info = signature.inputs[name]
        arrays[name] = _array(name, values, np.dtype(dtype_of(info)))
        tensors.check(name, arrays[name].dtype.type, arrays[name].shape, info, max_rows)
    tensors.check_rows(arrays)
    return arrays


def _columns(request, signature):
    values = request["inputs"]
    if isinstance(values, dict) and not _is_bytes(values):
        tensors.check_names(signature, values)
        return values
    return {_only_name(signature, "inputs"): values}


def _columns_of_rows(request, signature):
    rows = request["instances"]
    if not isinstance(rows, list) or not rows:
        raise _invalid("'instances' must be a list of at least one value.")
    named = [isinstance(row, dict) and not _is_bytes(row) for row in rows]
    if not any(named):
        return {_only_name(signature, "instances"): rows}
    if not all(named):
        raise _invalid("'instances' must be all objects or all values, not a mix.")
    for row in rows:
        tensors.check_names(signature, row)
    return {name: [row[name] for row in rows] for name in signature.inputs}


def _only_name(signature, key):
    if len(signature.inputs) != 1:
        raise _invalid(f"'{key}' is a plain list, but the signature has several inputs: name them.")
    return next(iter(signature.inputs))


def _is_bytes(value):
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _array(name, values, dtype):
    """Nested lists -> an array, without a lossy or silent conversion."""
    if dtype.kind in "OSU":
        return np.array(_decoded(values), dtype=object)
    try:
        found = np.array(values)
    except ValueError as error:
        raise _invalid(f"Input {name!r} is not rectangular: {error}") from error
    if found.size == 0:
        return np.zeros(found.shape, dtype)
    kinds = {"f": "iuf", "i": "iu", "u": "iu", "b": "b"}.get(dtype.kind, "")
    if found.dtype.kind not in kinds or (dtype.kind == "f" and _has_bool(values)):
        raise _invalid(f"Input {name!r} is not of expected type: {dtype}.")
    if dtype.kind in "iuf":
        _check_range(name, found, dtype)
    return found.astype(dtype)


def _check_range(name, found, dtype):
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    if found.min() < limits.min or found.max() > limits.max:
        raise _invalid(f"Input {name!r} does not fit in {dtype}, [{limits.min}, {limits.max}].")


def _has_bool(values):
    """Whether a list mixes booleans with numbers; NumPy would take them for 0 and 1."""
    return any(map(_has_bool, values)) if isinstance(values, list) else isinstance(values, bool)


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(v) for v in value]
    if _is_bytes(value):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error as error:
            raise _invalid("Unable to base64 decode") from error
    if isinstance(value, str):
        return value.encode()
    raise _invalid(f"JSON Value: {value} is not of expected type: string")


def answer(outputs, *, rows):
    """The bytes of a response: `predictions` a row, or `outputs` a column each."""
    finite = not not_finite(outputs)
    outputs = {name: _encodable(name, value) for name, value in outputs.items()}
    single = next(iter(outputs.values())) if len(outputs) == 1 else None
    if not rows:
        return _dumps({"outputs": outputs if single is None else single}, finite)
    if single is not None:
        return _dumps({"predictions": single}, finite)
    if len({len(value) for value in outputs.values()}) > 1:
        raise _invalid("Outputs have unequal numbers of rows: ask in the column form.")
    return _dumps({"predictions": [dict(zip(outputs, row)) for row in zip(*outputs.values())]}, finite)


def _encodable(name, value):
    value = np.asarray(value)
    if value.dtype.kind not in "OSU":
        return np.ascontiguousarray(value)
    encode = _b64 if name.endswith(_BYTES_SUFFIX) else lambda item: item.decode("utf-8", "replace")
    return _map(encode, value.tolist())


def _b64(item):
    return {"b64": base64.b64encode(item).decode()}


def _map(function, value):
    return [_map(function, v) for v in value] if isinstance(value, list) else function(value)


def _dumps(value, finite):
    if finite:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(value, default=lambda a: a.tolist()).encode()  # NaN and Infinity, which orjson nulls
