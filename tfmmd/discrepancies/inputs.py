"""Checks of samples and weights, shared by the estimators and the tests."""

import tensorflow as tf

from tfmmd import checks
from tfmmd.kernels import check_kernel
from tfmmd.kernels.pairs import as_samples, as_tensor


def as_checked_samples(x, y, kernel, names=("x", "y")):
    """Two finite samples `[n, d]`, `[m, d]` of one dtype, after a look at the kernel."""
    check_kernel(kernel)
    x, y = (checks.finite(name, as_tensor(s, name)) for name, s in zip(names, (x, y)))
    x, y = as_samples(x, y, names)
    for name, value in zip(names, (x, y)):
        checks.min_rows(name, value, 1, "MMD", "Give it some data.")
    return x, y


def check_rows(x, y, estimator, rows=2):
    """Both samples, checked for enough rows for an estimator; an unknown number when the graph runs."""
    why, mend = f"`estimator={estimator!r}`", "Use more rows or estimator='biased'."
    for name, value in (("x", x), ("y", y)):
        checks.min_rows(name, value, rows, why, mend)
    return _guarded("x", x, rows, why), _guarded("y", y, rows, why)


def _guarded(name, sample, rows, why):
    """The sample, with an assertion in the graph where its number of rows is unknown."""
    if sample.shape[0] is not None:
        return sample
    message = checks.message(
        f"{why} needs at least {rows} rows in `{name}`.",
        "fewer in a batch of unknown size",
        "Leave out a last, smaller batch or use estimator='biased'.",
    )
    with tf.control_dependencies([tf.debugging.assert_greater_equal(tf.shape(sample)[0], rows, message)]):
        return tf.identity(sample)


def as_checked_weights(name, weights, sample):
    """Weights `[n]` of mean 1 for the rows of a sample; None stands for equal ones."""
    if weights is None:
        return None
    weights = tf.cast(checks.finite(name, checks.rank(name, as_tensor(weights, name), 1)), sample.dtype)
    known, given = sample.shape[0], weights.shape[0]
    if None not in (known, given) and known != given:
        checks.fail(
            f"`{name}` must have one entry for each row.",
            f"{name}.shape={(given,)} for a sample of shape {tuple(sample.shape)}",
            "Give one weight for every row.",
        )
    if tf.executing_eagerly():
        _check_signs(name, weights)
    return weights / tf.stop_gradient(tf.reduce_mean(weights))  # the scale is free


def _check_signs(name, weights):
    low, high = float(tf.reduce_min(weights)), float(tf.reduce_max(weights))
    if low < 0 or high <= 0:
        checks.fail(
            f"`{name}` must be zero or more, and not all zero.",
            f"{name} from {low:g} to {high:g}",
            "Use density ratios, which are never negative.",
        )


def check_block_size(x, y, block_size):
    """The number of rows in a block: given and checked, or the root of the smaller sample size."""
    if block_size is None:
        rows = tf.cast(tf.minimum(tf.shape(x)[0], tf.shape(y)[0]), tf.float32)
        return tf.maximum(tf.cast(tf.sqrt(rows), tf.int32), 2)
    size = checks.positive_int("block_size", block_size)
    known = [s.shape[0] for s in (x, y) if s.shape[0] is not None]
    if size < 2 or any(size > rows for rows in known):
        checks.fail(
            "`block_size` must be at least 2 and at most the smaller sample size.",
            f"block_size={size}, x.shape={tuple(x.shape)}, y.shape={tuple(y.shape)}",
            "Leave it out for the root of the sample size.",
        )
    return size
