"""Checks and conversions that every measure shares."""

import numpy as np
import tensorflow as tf

from tfmmd import checks


def features(name, x):
    """A finite feature matrix `[n, d]` as float32, or as float64 when it came so.

    float16, bfloat16 and integers become float32. Images are refused: the extractor is the caller's.
    """
    shape = checks.shape_of(x)
    if len(shape) != 2:
        checks.fail(
            f"`{name}` must be features of shape [n, d].",
            f"{name}.shape={shape}",
            "Pass images through an extractor of tfmmd.metrics.features first, or flatten them.",
        )
    return _finite_floats(name, x)


def rows(name, x):
    """Data of any shape `[n, ...]` as a finite matrix `[n, d]` (float32, or float64 when it came so)."""
    shape = checks.shape_of(x)
    if len(shape) < 2:
        checks.fail(
            f"`{name}` must hold one row per example: [n, d] or [n, h, w, c].",
            f"{name}.shape={shape}",
            f"Add the missing axis, for one example {name}[None].",
        )
    x = _finite_floats(name, x)
    return tf.reshape(x, [tf.shape(x)[0], int(np.prod(shape[1:]))])


def same_dtype(*arrays):
    """The tensors in float64 when any of them is, else as they are (float32)."""
    dtype = tf.float64 if any(a.dtype == tf.float64 for a in arrays) else tf.float32
    return tuple(tf.cast(a, dtype) for a in arrays)


def _finite_floats(name, x):
    x = checks.tensor(name, x)
    if not tf.is_symbolic_tensor(x):
        checks.not_empty(name, x)
    checks.finite(name, x)
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
