"""What a kernel is computed from: squared distances and inner products of all pairs, in float32 or better."""

from typing import NamedTuple

import tensorflow as tf

from tfmmd import checks


class Pairs(NamedTuple):
    """Ingredients of a kernel on pairs of points; one that is not used may be None.

    Attributes:
        squared_distance: Tensor `[..., n, m]` (or `[n]` for matching rows), never negative.
        inner_product: Tensor of the same shape.
        num_features: `d`, an int or int32 scalar.
    """

    squared_distance: tf.Tensor | None
    inner_product: tf.Tensor | None
    num_features: int | tf.Tensor


def as_samples(x, y, names=("x", "y")):
    """Checks two samples `[n, d]`, `[m, d]` and brings them to one dtype: float64 if either is, else float32."""
    x, y = (as_tensor(s, name) for s, name in zip((x, y), names))
    checks.same_features(x, y, names)
    dtype = tf.float64 if tf.float64 in (x.dtype, y.dtype) else tf.float32
    return tf.cast(x, dtype), tf.cast(y, dtype)


def as_tensor(x, name="x"):
    """`x` as a tensor; Python numbers become float32, NumPy arrays keep their dtype."""
    return checks.tensor(name, x)


def num_features(x):
    """Size of the last axis of `x`: an int where known, else an int32 scalar."""
    return x.shape[-1] if x.shape[-1] is not None else tf.shape(x)[-1]


def all_pairs(x, y, *, distance, product, same=False):
    """`Pairs` `[..., n, m]` of all rows of `x` `[..., n, d]` with all rows of `y` `[..., m, d]`.

    Args:
        distance: Whether squared distances are wanted.
        product: Whether inner products are wanted; alone they are float64, for kernels of them grow without
            bound and the digits of small differences would be lost.
        same: Whether `x` and `y` are one sample: the diagonal of its distances is then exactly 0.
    """
    d2 = squared_distances(x, y, same=same) if distance else None
    x, y = (s if distance else tf.cast(s, tf.float64) for s in (x, y))
    return Pairs(d2, tf.matmul(x, y, transpose_b=True) if product else None, num_features(x))


def matching_pairs(x, y, *, distance, product):
    """`Pairs` `[n]` of row i of `x` `[n, d]` with row i of `y` `[n, d]`; arguments as in `all_pairs`."""
    d2 = tf.reduce_sum(tf.square(x - y), axis=-1) if distance else None
    x, y = (s if distance else tf.cast(s, tf.float64) for s in (x, y))
    return Pairs(d2, tf.reduce_sum(x * y, axis=-1) if product else None, num_features(x))


def squared_distances(x, y, *, same=False):
    """||x_i - y_j||**2 `[..., n, m]` by a matrix product of centred rows.

    The centre costs nothing and saves the digits that |x|**2 + |y|**2 - 2 x.y loses when the data lie far
    from the origin.
    """
    centre = tf.stop_gradient(tf.reduce_mean(y, axis=tuple(range(len(y.shape) - 1))))
    x, y = x - centre, y - centre
    x2 = tf.reduce_sum(tf.square(x), axis=-1)[..., :, None]
    y2 = tf.reduce_sum(tf.square(y), axis=-1)[..., None, :]
    d2 = tf.maximum(x2 + y2 - 2.0 * tf.matmul(x, y, transpose_b=True), 0.0)  # rounding makes it negative
    return tf.linalg.set_diag(d2, tf.zeros_like(x2[..., 0])) if same else d2


def safe_root(value, tiny=1e-30):
    """sqrt(max(value, tiny)): its gradient is 0, not infinite, at 0."""
    return tf.sqrt(tf.maximum(value, tf.constant(tiny, value.dtype)))
