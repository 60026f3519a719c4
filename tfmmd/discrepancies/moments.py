"""Moments of kernel matrices: MMD**2 with an estimate of its variance.

Both samples' kernels are averaged over the other points of a pair. With mu_P(a) = E k(a, p), the first
order part of the variance is that of the means mu, the second order part that of the kernel itself.
"""

from typing import NamedTuple

import tensorflow as tf

from tfmmd import checks
from tfmmd.discrepancies.inputs import as_checked_samples


class Within(NamedTuple):
    """Moments of k(x, x') over pairs of distinct rows, float64.

    Attributes:
        rows: Number of rows `n`.
        mean: E k(x, x').
        row_means: mu_X(x_i) over the other rows, `[n]`.
        first: Var over x of mu_X(x), plug-in.
        second: Var of k(x, x'), plug-in.
    """

    rows: tf.Tensor
    mean: tf.Tensor
    row_means: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor


class Cross(NamedTuple):
    """Moments of k(x, y), float64: `x_means` is mu_Y(x_i) `[n]`, `y_means` mu_X(y_j) `[m]`."""

    mean: tf.Tensor
    x_means: tf.Tensor
    y_means: tf.Tensor
    first_x: tf.Tensor
    first_y: tf.Tensor
    second: tf.Tensor


def within(k):
    """`Within` of a kernel matrix `[n, n]` of one sample."""
    k = tf.cast(k, tf.float64)
    k = tf.linalg.set_diag(k, tf.zeros_like(k[:, 0]))
    n = tf.cast(tf.shape(k)[0], tf.float64)
    sums, squares = tf.reduce_sum(k, axis=1), tf.reduce_sum(tf.square(k))
    mean = tf.reduce_sum(sums) / (n * (n - 1.0))
    first = (tf.reduce_sum(tf.square(sums)) - squares) / (n * (n - 1.0) * (n - 2.0)) - mean**2
    return Within(n, mean, sums / (n - 1.0), first, squares / (n * (n - 1.0)) - mean**2)


def cross(k):
    """`Cross` of a kernel matrix `[n, m]` of two samples."""
    k = tf.cast(k, tf.float64)
    n, m = (tf.cast(size, tf.float64) for size in tf.unstack(tf.shape(k)))
    x_sums, y_sums, squares = tf.reduce_sum(k, 1), tf.reduce_sum(k, 0), tf.reduce_sum(tf.square(k))
    mean = tf.reduce_sum(x_sums) / (n * m)
    first_x = (tf.reduce_sum(tf.square(x_sums)) - squares) / (n * m * (m - 1.0)) - mean**2
    first_y = (tf.reduce_sum(tf.square(y_sums)) - squares) / (m * n * (n - 1.0)) - mean**2
    return Cross(mean, x_sums / m, y_sums / n, first_x, first_y, squares / (n * m) - mean**2)


def covariance(a, mean_a, b, mean_b):
    """Plug-in covariance over rows of two means of the kernel, `a` and `b` `[n]`."""
    return tf.reduce_mean(a * b) - mean_a * mean_b


def mmd2_and_variance(x, y, kernel):
    """Unbiased MMD**2 and an estimate of its variance, both differentiable.

    The variance is that of a U-statistic of second order with plug-in moments; it may be negative on small
    samples, so floor it before taking a root.

    Args:
        x: Tensor `[n, d]`, n >= 4.
        y: Tensor `[m, d]`, m >= 4.
        kernel: A `tfmmd.kernels.Kernel`.

    Returns:
        Pair of scalars `[]`, float32 (float64 for float64 samples).

    Raises:
        ValueError: On wrong ranks, features and sizes, and on NaN or inf in eager samples.

    Reference: [sutherland2017]
    """
    x, y = as_checked_samples(x, y, kernel)
    for name, value in (("x", x), ("y", y)):
        checks.min_rows(name, value, 4, "The variance of MMD", "Use more rows.")
    xx, yy = within(kernel.between(x, x, same=True)), within(kernel.between(y, y, same=True))
    xy = cross(kernel.between(x, y))
    variance = tf.where(tf.equal(xx.rows, yy.rows), _paired(xx, yy, xy), _unpaired(xx, yy, xy))
    return tf.cast(xx.mean + yy.mean - 2.0 * xy.mean, x.dtype), tf.cast(variance, x.dtype)


def _brackets(xx, yy, xy):
    """Covariances over x of mu_X and mu_Y, and over y of mu_Y and mu_X."""
    over_x = covariance(xx.row_means, xx.mean, xy.x_means, xy.mean)
    return over_x, covariance(yy.row_means, yy.mean, xy.y_means, xy.mean)


def _paired(xx, yy, xy):
    """Equal sizes: the U-statistic of h = k(x, x') + k(y, y') - k(x, y') - k(x', y)."""
    m, mixed = xx.rows, sum(_brackets(xx, yy, xy))
    first = xx.first + yy.first + xy.first_x + xy.first_y - 2.0 * mixed
    second = xx.second + yy.second + 2.0 * xy.second - 4.0 * mixed
    return u_variance(m, first, second)


def u_variance(m, first, second):
    """Variance of a U-statistic of two arguments from its first and second order parts."""
    return (4.0 * (m - 2.0) * first + 2.0 * second) / (m * (m - 1.0))


def _unpaired(xx, yy, xy):
    """Unequal sizes: the variances of the three means and their covariances."""
    n, m = xx.rows, yy.rows
    over_x, over_y = _brackets(xx, yy, xy)
    spread = cross_variance(n, m, xy) - 2.0 * over_x / n - 2.0 * over_y / m
    return u_variance(n, xx.first, xx.second) + u_variance(m, yy.first, yy.second) + 4.0 * spread


def cross_variance(n, m, xy):
    """Variance of the mean of k(x, y) over all pairs."""
    return ((m - 1.0) * xy.first_x + (n - 1.0) * xy.first_y + xy.second) / (n * m)
