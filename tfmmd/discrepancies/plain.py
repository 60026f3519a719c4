"""The plain form of MMD**2: whole kernel matrices and automatic differentiation, to any order."""

import tensorflow as tf


def quadratic_form(x, y, kernel, weights, *, biased):
    """MMD**2 of two samples, of which each row counts as much as its weight says.

    sum(a_i a_j k(x_i, x_j)) / A + sum(b_i b_j k(y_i, y_j)) / B - 2 sum(a_i b_j k(x_i, y_j)), where the first
    two sums leave out i = j in the unbiased form, and A and B are the sums of the products of their weights.

    Args:
        x: Tensor `[n, d]`.
        y: Tensor `[m, d]`.
        kernel: A `tfmmd.kernels.Kernel`.
        weights: Pair of weights `[n]` and `[m]`, each of sum 1, or None for equal ones.
        biased: Whether pairs of a row with itself count.

    Returns:
        Scalar `[]`.
    """
    a, b = weights_of(x, weights[0]), weights_of(y, weights[1])
    xx = _total(_kept(kernel.between(x, x, same=True), biased), a, a) / pair_mass(a, biased)
    yy = _total(_kept(kernel.between(y, y, same=True), biased), b, b) / pair_mass(b, biased)
    return tf.cast(xx + yy - 2.0 * _total(kernel.between(x, y), a, b), x.dtype)


def weights_of(sample, weights):
    """The weights `[n]` of a sample `[n, d]`: equal ones of sum 1 for None."""
    if weights is not None:
        return weights
    rows = tf.shape(sample)[0]
    return tf.fill([rows], 1.0 / tf.cast(rows, sample.dtype))


def pair_mass(weights, biased):
    """sum(w_i w_j) over the pairs that count, float64: what a sum within one sample is divided by."""
    if biased:
        return tf.constant(1.0, tf.float64)
    weights = tf.cast(weights, tf.float64)
    mass = tf.square(tf.reduce_sum(weights)) - tf.reduce_sum(tf.square(weights))
    return tf.where(mass > 0.0, mass, tf.ones_like(mass))  # one row: its sum over pairs is empty


def slopes(inputs, form):
    """The gradients of the scalar `form(*inputs)` with respect to all inputs, zeros where there is none."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = form(*inputs)
    return tape.gradient(value, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _kept(k, biased):
    """The pairs that count."""
    return k if biased else tf.linalg.set_diag(k, tf.zeros_like(k[:, 0]))


def _total(k, a, b):
    """sum(a_i k_ij b_j): rows in the kernel's dtype, their total in float64."""
    rows = tf.linalg.matvec(k, tf.cast(b, k.dtype))
    return tf.reduce_sum(tf.cast(a, tf.float64) * tf.cast(rows, tf.float64))
