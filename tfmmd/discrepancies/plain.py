"""The plain forms: whole kernel matrices and automatic differentiation, to any order."""

import tensorflow as tf


def quadratic_form(x, y, kernel, weights, *, biased):
    """The three weighted kernel means of two samples as matrices: MMD**2 with plain autodiff.

    Args:
        x: Tensor `[n, d]`.
        y: Tensor `[m, d]`.
        kernel: A `tfmmd.kernels.Kernel`.
        weights: Pair of non-negative weights `[n]` and `[m]`, each of sum 1.
        biased: Whether pairs of a row with itself count.

    Returns:
        Scalar `[]`.
    """
    a, b = weights
    within = _within(kernel.between(x, x, same=True), a, biased) + _within(
        kernel.between(y, y, same=True), b, biased
    )
    cross = _total(kernel.between(x, y), a, b)
    return tf.cast(within - 2.0 * cross, x.dtype)


def pair_mass(weights, biased):
    """sum(w_i w_j) over the pairs that count, float64: what a within-sample sum is divided by."""
    if biased:
        return tf.constant(1.0, tf.float64)
    mass = 1.0 - tf.reduce_sum(tf.square(tf.cast(weights, tf.float64)))
    return tf.where(mass > 0.0, mass, tf.ones_like(mass))  # one row: an empty sum


def _within(k, w, biased):
    if not biased:
        k = tf.linalg.set_diag(k, tf.zeros_like(w))
    return _total(k, w, w) / pair_mass(w, biased)


def _total(k, a, b):
    """sum(a_i k_ij b_j): rows in the kernel's dtype, their total in float64."""
    rows = tf.linalg.matvec(k, b)
    return tf.reduce_sum(tf.cast(a, tf.float64) * tf.cast(rows, tf.float64))
