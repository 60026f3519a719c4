"""Checks of arguments at the public doors.

Every error has three short sentences: what was expected, what was received, how to mend it. Checks run
before any computation; static shapes that are unknown while tracing pass.
"""

import difflib

import numpy as np
import tensorflow as tf

INT64 = np.iinfo(np.int64)


def message(expected, received, mend):
    """Joins the three sentences of an error message."""
    return f"{expected} Received: {received}. {mend}"


def fail(expected, received, mend):
    """Raises `ValueError` with the three sentences."""
    raise ValueError(message(expected, received, mend))


def shape_of(x):
    """The static shape of a tensor or array as a tuple, unknown sizes as None."""
    return tuple(tf.TensorShape(getattr(x, "shape", None) if hasattr(x, "shape") else np.shape(x)).as_list())


def one_of(name, value, choices):
    """Returns `value` when it is among `choices`, else names the nearest ones."""
    choices = list(choices)
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Use one of them."
    listed = choices if len(choices) <= 40 else f"{len(choices)} known names"
    return fail(f"`{name}` must be one of {listed}.", f"{name}={value!r}", hint)


def positive(name, values):
    """Returns `values` (a number or a non-empty sequence) as a tuple of positive finite floats."""
    numbers = tuple(float(v) for v in np.ravel(values))
    if not numbers:
        fail(
            f"`{name}` must hold at least one number.",
            f"{name}={values!r}",
            "Give one positive number or more.",
        )
    if not all(np.isfinite(v) and v > 0 for v in numbers):
        fail(
            f"`{name}` must be positive and finite.", f"{name}={values!r}", "Remove the entries that are not."
        )
    return numbers


def positive_number(name, value):
    """Returns `value` as one positive finite float."""
    if np.ndim(value) != 0:
        fail(f"`{name}` must be one number.", f"{name}={value!r}", "Give a single positive number.")
    return positive(name, value)[0]


def non_negative(name, value):
    """Returns `value` as one finite float that is zero or more."""
    number = float(value)
    if not (np.isfinite(number) and number >= 0):
        fail(f"`{name}` must be zero or more and finite.", f"{name}={value!r}", "Use 0 to switch it off.")
    return number


def positive_int(name, value):
    """Returns `value` as a positive int."""
    if isinstance(value, bool) or int(value) != value or int(value) < 1:
        fail(f"`{name}` must be a positive whole number.", f"{name}={value!r}", "Use 1 or more.")
    return int(value)


def int64(name, value):
    """Returns `value` as an int that fits in 64 signed bits."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        fail(f"`{name}` must be a whole number.", f"{name}={value!r}", "Use an int.")
    if not INT64.min <= int(value) <= INT64.max:
        fail(
            f"`{name}` must fit in int64, [-2**63, 2**63 - 1].", f"{name}={value!r}", "Use a smaller number."
        )
    return int(value)


def rank(name, x, expected):
    """Checks that `x` has one of the `expected` ranks (an int or a tuple of ints)."""
    ranks = (expected,) if isinstance(expected, int) else tuple(expected)
    shape = tf.TensorShape(getattr(x, "shape", np.shape(x)))
    if shape.rank is not None and shape.rank not in ranks:
        fail(
            f"`{name}` must have rank {' or '.join(map(str, ranks))}.",
            f"{name}.shape={tuple(shape)}",
            f"Reshape `{name}`, for images with tf.reshape({name}, [len({name}), -1]).",
        )
    return x


def same_features(x, y, names=("x", "y")):
    """Checks that two samples `[n, d]`, `[m, d]` have rank 2 and equal `d`."""
    for name, value in zip(names, (x, y)):
        rank(name, value, 2)
    a, b = shape_of(x), shape_of(y)
    if len(a) == len(b) == 2 and None not in (a[1], b[1]) and a[1] != b[1]:
        fail(
            f"`{names[0]}` and `{names[1]}` must have the same number of features (axis 1).",
            f"{names[0]}.shape={a}, {names[1]}.shape={b}",
            "Bring both samples to the same space first.",
        )


def min_rows(name, x, rows, why, mend):
    """Checks that axis 0 of `x`, where known, holds at least `rows` rows."""
    shape = shape_of(x)
    if shape and shape[0] is not None and shape[0] < rows:
        fail(f"{why} needs at least {rows} row{'s' * (rows > 1)} in `{name}`.", f"{name}.shape={shape}", mend)


def not_empty(name, x):
    """Checks that `x` has at least one row."""
    if len(x) == 0:
        fail(f"`{name}` must have at least one row.", f"{name}.shape={np.shape(x)}", "Give it some data.")


def finite(name, x):
    """Checks an array or eager tensor for NaN and inf, and says where the first one is."""
    if tf.is_tensor(x) and not hasattr(x, "numpy"):
        return x  # symbolic: values are not there to be looked at
    array = np.asarray(x)
    if array.dtype.kind not in "fcV" or (array.dtype.kind == "V" and array.dtype.name != "bfloat16"):
        return x
    bad = ~np.isfinite(array.astype(np.float32) if array.dtype.itemsize == 2 else array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        fail(
            f"`{name}` must be finite.",
            f"{int(bad.sum())} NaN or inf of {bad.size} entries, the first at index {where}",
            "Clean the data: NaN often comes from a division by a zero range.",
        )
    return x
