"""The Gaussian kernel density of a set of samples, by blocks of matrix products."""

import math

import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute
from tfmmd.metrics import arrays

_POINTS_PER_BLOCK = 500  # 500 x 10 000 distances: 20 MB, the fastest block measured on CPU
_CENTRES_PER_BLOCK = 10_000
_FEATURES_PER_PRODUCT = 112
_XLA_PAIRS = 250_000  # below this many pairs compiling costs more than it saves


def kernel_density_log_prob(samples, points, bandwidths):
    """Log-density of `points` under Gaussian kernels on `samples`, for every bandwidth at once.

    log p(x) = logsumexp_j(-||x - s_j||**2 / (2 * h**2)) - log(n) - d * log(h * sqrt(2 * pi))

    Distances are formed once per block, by a product of centred rows; the sums over blocks and the constants
    are float64.

    Args:
        samples: The kernels' centres `[n, ...]`.
        points: Where to evaluate, `[m, ...]` with the same trailing size.
        bandwidths: Positive lengths, the kernels' standard deviations.

    Returns:
        float64 tensor `[len(bandwidths), m]`, in nats.

    Raises:
        ValueError: For rows of different size, no rows, NaN or inf, or a bandwidth that is not positive.

    Example:
        log_p = kernel_density_log_prob(model.sample(10_000), test_images, [0.1, 0.2])
    """
    bandwidths = np.array(checks.positive("bandwidths", bandwidths))
    samples, points = arrays.same_dtype(arrays.rows("samples", samples), arrays.rows("points", points))
    checks.same_features(samples, points, ("samples", "points"))
    return log_prob(samples, points, bandwidths)


def kde_distribution(samples, bandwidth):
    """The same density as a `tfd.MixtureSameFamily`, to sample from and to compose.

    Its `log_prob` forms every difference: use `kernel_density_log_prob` for more than a few hundred points.

    Args:
        samples: The kernels' centres `[n, ...]`; rows are flattened.
        bandwidth: The kernels' standard deviation, one positive number.

    Returns:
        A `tfd.MixtureSameFamily` with event shape `[d]`.
    """
    from tensorflow_probability import distributions as tfd  # takes a second to import

    bandwidth = checks.positive_number("bandwidth", bandwidth)
    samples = arrays.rows("samples", samples)
    kernels = tfd.Independent(tfd.Normal(samples, tf.cast(bandwidth, samples.dtype)), 1)
    return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros(len(samples), samples.dtype)), kernels)


def log_prob(samples, points, bandwidths):
    """`kernel_density_log_prob` of checked tensors `[n, d]`, `[m, d]` of one dtype; also inside a graph."""
    centre = tf.reduce_mean(samples, axis=0)  # distances stay, rounding shrinks
    samples, points = samples - centre, points - centre
    log_sums = [_log_kernel_sums(block, points, bandwidths) for block in _blocks(samples, _CENTRES_PER_BLOCK)]
    n, d = samples.shape
    constants = math.log(n) + d * np.log(bandwidths * math.sqrt(2 * math.pi))
    return tf.reduce_logsumexp(tf.stack(log_sums), axis=0) - constants[:, None]


def _log_kernel_sums(centres, points, bandwidths):
    """float64 `[num_bandwidths, m]`: logsumexp over the centres of -||x - s||**2 / (2 * h**2)."""
    rates = 0.5 / bandwidths**2
    squares = tf.cast(_squares(centres), centres.dtype)
    settings = _feature_slices(centres), squares, tf.cast(rates, centres.dtype)
    if points.shape[0] is None:  # in a graph a batch is one block
        nearest, sums = _sums_of_block(points, *settings)
    else:
        nearest, sums = _sums_of_blocks(points, *settings)
    nearest = tf.maximum(_squares(points) + tf.cast(nearest, tf.float64), 0)  # rounding makes it negative
    return tf.math.log(tf.cast(sums, tf.float64)) - rates[:, None] * nearest


def _squares(x):
    """float64 `[n]`: the squared length of every row, exact enough to be added last."""
    return tf.reduce_sum(tf.cast(x, tf.float64) ** 2, axis=1)


def _sums_of_blocks(points, centres, squares, rates):
    """`_sums_of_block` over blocks of points, under XLA when there are enough of them."""
    m = points.shape[0]
    xla = len(squares) * min(m, _POINTS_PER_BLOCK) >= _XLA_PAIRS and distribute.num_replicas() == 1
    if xla:
        points = tf.pad(points, [[0, -m % _POINTS_PER_BLOCK], [0, 0]])  # one shape: compiled once
    function = _sums_of_block_xla if xla else _sums_of_block
    results = [function(block, centres, squares, rates) for block in _blocks(points, _POINTS_PER_BLOCK)]
    nearest, sums = zip(*results)
    return tf.concat(nearest, axis=0)[:m], tf.concat(sums, axis=1)[:, :m]


def _blocks(x, size):
    return [x[start : start + size] for start in range(0, x.shape[0], size)]


def _shifted_sums(r, rates):
    """Row minima `[b]` and `[num_bandwidths, b]` sums of exp(-rate * (r - minimum)): one shift serves all."""
    nearest = tf.reduce_min(r, axis=1)
    r = r - nearest[:, None]
    return nearest, tf.stack([tf.reduce_sum(tf.exp(-rate * r), axis=1) for rate in tf.unstack(rates)])


def _partial_distances(points, centres, squares):
    """||s||**2 - 2 x.s: the points' own squares are left out, they would cost digits here.

    `centres` is a list of slices of features: adding up short products loses five times fewer digits than
    one long product (784 features, float32) and takes a third more time.
    """
    slices = zip(_feature_slices(points), centres)
    return squares - 2 * tf.add_n([tf.matmul(x, s, transpose_b=True) for x, s in slices])


def _feature_slices(x):
    starts = range(0, x.shape[1], _FEATURES_PER_PRODUCT)
    return [x[:, start : start + _FEATURES_PER_PRODUCT] for start in starts]


def _sums_of_block(points, centres, squares, rates):
    return _shifted_sums(_partial_distances(points, centres, squares), rates)


_shifted_sums_xla = tf.function(_shifted_sums, jit_compile=True, autograph=False)


@tf.function(autograph=False)
def _sums_of_block_xla(points, centres, squares, rates):
    # The product runs faster outside of XLA, the exponentials inside.
    return _shifted_sums_xla(_partial_distances(points, centres, squares), rates)
