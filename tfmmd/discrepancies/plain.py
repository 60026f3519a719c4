"""The plain form of MMD**2: whole kernel matrices and automatic differentiation, to any order."""

import tensorflow as tf


def quadratic_form(x, y, kernel, weights, *, biased):
    """MMD**2 of two samples, of which each row counts as much as its weight says.

    sum(a_i a_j k(x_i, x_j)) / A + sum(b_i b_j k(y_i, y_j)) / B - 2 sum(a_i b_j k(x_i, y_j)) / C, where the
    first two sums leave out i = j in the unbiased form, and A, B, C are the sums of the products of weights.

    Args:
        x: Tensor `[..., n, d]`; leading axes only for kernels of `Pairs`.
        y: Tensor `[..., m, d]`.
        kernel: A `tfmmd.kernels.Kernel`.
        weights: Pair of weights `[n]` and `[m]`, or None for equal ones.
        biased: Whether pairs of a row with itself count.

    Returns:
        Tensor `[...]`, a scalar for two samples.
    """
    dtype = x.dtype
    if kernel.of_product_alone:  # also for the sums of gradients, which nearly cancel
        x, y = tf.cast(x, tf.float64), tf.cast(y, tf.float64)
    a, b = (weights_of(s, w) for s, w in zip((x, y), weights))
    of_xx, of_yy, of_xy = pair_masses(a, b, biased)
    xx = _total(_kept(kernel.between(x, x, same=True), biased), a, a) / of_xx
    yy = _total(_kept(kernel.between(y, y, same=True), biased), b, b) / of_yy
    return tf.cast(xx + yy - 2.0 * _total(kernel.between(x, y), a, b) / of_xy, dtype)


def weights_of(sample, weights):
    """The weights `[n]` of a sample `[..., n, d]`: ones for None."""
    return tf.ones([tf.shape(sample)[-2]], sample.dtype) if weights is None else weights


def pair_masses(a, b, biased):
    """Sums of the products of weights over the pairs that count, in float64: within a, within b, across."""
    a, b = tf.cast(a, tf.float64), tf.cast(b, tf.float64)
    sums = tf.reduce_sum(a), tf.reduce_sum(b)
    within = [s * s if biased else s * s - tf.reduce_sum(w * w) for s, w in zip(sums, (a, b))]
    within = [tf.where(mass > 0.0, mass, tf.ones_like(mass)) for mass in within]  # one row: no pairs, sum 0
    return *within, sums[0] * sums[1]


def slopes(inputs, form):
    """The gradients of the scalar `form(*inputs)` with respect to all inputs, zeros where there is none.

    Found in a graph: no tape records while a forward accumulator turns a backward pass around.
    """

    def gradients(*inputs):
        found = tf.gradients(form(*inputs), list(inputs))
        return [tf.zeros_like(t) if g is None else g for t, g in zip(inputs, found)]

    if tf.executing_eagerly():
        return tf.function(gradients, autograph=False)(*inputs)
    return gradients(*(tf.identity(t) for t in inputs))


def _kept(k, biased):
    """The pairs that count."""
    return k if biased else tf.linalg.set_diag(k, tf.zeros_like(k[..., 0]))


def _total(k, a, b):
    """sum(a_i k_ij b_j): rows in the kernel's dtype, their total in float64."""
    rows = tf.linalg.matvec(k, tf.cast(b, k.dtype))
    return tf.reduce_sum(tf.cast(a, tf.float64) * tf.cast(rows, tf.float64), axis=-1)
