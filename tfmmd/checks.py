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
    try:
        shape = tf.TensorShape(x.shape if hasattr(x, "shape") else np.shape(x))
    except (ValueError, TypeError) as error:
        raise ValueError(
            message(
                "An array must have rows of one shape.",
                f"a {type(x).__name__}",
                "Make all rows of the same length.",
            )
        ) from error
    if shape.rank is None:
        fail(
            "The number of axes of a batch must be known.",
            f"a {type(x).__name__} of unknown rank",
            "Set it where the data are made: dataset.map(lambda x: tf.ensure_shape(x, [None, 28, 28, 1])).",
        )
    return tuple(shape.as_list())


def tensor(name, x):
    """`x` as a tensor of real numbers; Python numbers become float32, arrays keep their dtype."""
    try:
        value = tf.convert_to_tensor(x, tf.float32 if isinstance(x, (list, tuple)) else None)
        real = value.dtype.is_floating or value.dtype.is_integer or value.dtype.is_bool
    except Exception:  # TensorFlow has many ways to refuse
        value, real = None, False
    if not real:
        received = type(x).__name__ if value is None else f"dtype {value.dtype.name}"
        fail(
            f"`{name}` must be an array of real numbers.",
            f"{name} of {received}",
            "Convert it with np.asarray(..., 'float32').",
        )
    return value


def batch(name, x, shape):
    """`x` as a tensor `[b, *shape]`; None in `shape` fits any size."""
    value = tensor(name, x)
    received = shape_of(value) if value.shape.rank is not None else (None, *shape)
    fits = len(received) == len(shape) + 1 and all(
        None in (a, b) or a == b for a, b in zip(received[1:], shape)
    )
    if not fits:
        fail(
            f"`{name}` must have shape [b, {', '.join(map(str, shape))}].",
            f"{name}.shape={received}",
            f"Reshape `{name}`; one row alone needs a first axis of 1.",
        )
    return value


def number(name, value):
    """Returns `value` as one float, which may be NaN or inf."""
    try:
        if isinstance(value, (str, bytes)) or np.ndim(value):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return fail(f"`{name}` must be a number.", f"{name}={_short(value)}", "Give it one number.")


def one_of(name, value, choices, *, more=""):
    """Returns `value` when it is among `choices`, else names the nearest ones; `more` ends the message."""
    choices = list(choices)
    if isinstance(value, (str, int, type(None))) and value in choices:
        return value
    near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Use one of them."
    listed = choices if len(choices) <= 40 else f"{len(choices)} known names"
    return fail(f"`{name}` must be one of {listed}.", f"{name}={_short(value)}", f"{hint} {more}".rstrip())


def numbers_of(name, values):
    """Returns `values` (a number, a sequence or an array) as a flat tuple of floats."""
    flat = values if isinstance(values, (list, tuple)) else _flat(values)
    return tuple(number(name, v) for v in flat)


def positive(name, values):
    """Returns `values` (a number or a non-empty sequence) as a tuple of positive finite floats."""
    numbers = numbers_of(name, values)
    if not numbers:
        fail(
            f"`{name}` must hold at least one number.",
            f"{name}={values!r}",
            "Give one positive number or more.",
        )
    if not all(1e-100 <= v <= 1e100 for v in numbers):  # their squares must not overflow or vanish
        fail(
            f"`{name}` must be positive and finite.", f"{name}={values!r}", "Remove the entries that are not."
        )
    return numbers


def positive_number(name, value):
    """Returns `value` as one positive finite float."""
    return positive(name, number(name, value))[0]


def non_negative(name, value):
    """Returns `value` as one finite float that is zero or more."""
    given = number(name, value)
    if not (np.isfinite(given) and given >= 0):
        fail(f"`{name}` must be zero or more and finite.", f"{name}={value!r}", "Use 0 to switch it off.")
    return given


def dropout_rate(name, value):
    """Returns `value` as one float in [0, 1)."""
    given = non_negative(name, value)
    if given >= 1:
        fail(f"`{name}` must be in [0, 1).", f"{name}={value!r}", "Give the share of zeros, such as 0.5.")
    return given


def positive_int(name, value):
    """Returns `value` as a positive int below 2**31."""
    given = number(name, value)
    if isinstance(value, bool) or not 1 <= given < 2**31 or int(given) != given:
        fail(
            f"`{name}` must be a positive whole number below 2**31.",
            f"{name}={_short(value)}",
            "Use 1 or more.",
        )
    return int(given)


def positive_ints(name, values, count=None):
    """Returns `values` (a sequence, or one number) as a tuple of positive ints, `count` of them where given."""
    numbers = tuple(positive_int(name, v) for v in numbers_of(name, values))
    if count is not None and len(numbers) != count:
        fail(f"`{name}` must hold {count} sizes.", f"{name}={_short(values)}", "Write one for each axis.")
    return numbers


def shape(name, value, count=None):
    """Returns the shape of one example, an int or a sequence of `count` sizes, as a tuple of positive ints."""
    sizes = positive_ints(name, value, count)
    if not sizes:
        fail(f"`{name}` must hold at least one size.", f"{name}={value!r}", "Use for example (28, 28, 1).")
    return sizes


def int64(name, value):
    """Returns `value` as an int that fits in 64 signed bits."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        fail(f"`{name}` must be a whole number.", f"{name}={_short(value)}", "Use an int.")
    if not INT64.min <= int(value) <= INT64.max:
        fail(
            f"`{name}` must fit in int64, [-2**63, 2**63 - 1].",
            f"{name}={_short(value)}",
            "Use a smaller number.",
        )
    return int(value)


def rank(name, x, expected):
    """Checks that `x` has one of the `expected` ranks (an int or a tuple of ints)."""
    ranks = (expected,) if isinstance(expected, int) else tuple(expected)
    if getattr(getattr(x, "shape", None), "rank", 0) is None:
        return x
    shape = shape_of(x)
    if len(shape) not in ranks:
        fail(
            f"`{name}` must have rank {' or '.join(map(str, ranks))}.",
            f"{name}.shape={shape}",
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
    shape = shape_of(x)
    if not shape or shape[0] == 0:
        fail(f"`{name}` must have at least one row.", f"{name}.shape={shape}", "Give it some data.")


def finite(name, x):
    """Checks an array or eager tensor for NaN and inf, and says where the first one is."""
    if tf.is_tensor(x) and not hasattr(x, "numpy"):
        return x  # symbolic: values are not there to be looked at
    array = np.asarray(x if hasattr(x, "dtype") or hasattr(x, "numpy") else tensor(name, x))
    if array.dtype.kind in "OSU":
        tensor(name, x)
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


def _flat(values):
    """The entries of an array, tensor or number."""
    try:
        return np.ravel(values).tolist()
    except (ValueError, TypeError):
        return [values]


def _short(value):
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a very large int"
    return text if len(text) <= 200 else f"{text[:200]}..."
