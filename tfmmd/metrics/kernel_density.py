"""The Gaussian kernel density of a set of samples, by blocks of matrix products."""

import math

import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute
from tfmmd.metrics import arrays

_POINTS_PER_BLOCK = 500  # 500 x 10 000 distances: 20 MB, the fastest block measured on CPU
_CENTRES_PER_BLOCK = 10_000
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
    """float64 `[num_bandwidths, m]`: logsumexp over the centres of -r / (2 h**2)."""
    if points.shape[0] is None:  # in a graph: a batch is one block
        return _log_sums(_sums_of_block, points, centres, bandwidths)
    if len(centres) * min(len(points), _POINTS_PER_BLOCK) < _XLA_PAIRS or distribute.num_replicas() > 1:
        results = [_log_sums(_sums_of_block, b, centres, bandwidths) for b in _blocks(points, _POINTS_PER_BLOCK)]
        return tf.concat(results, axis=1)
    missing = -len(points) % _POINTS_PER_BLOCK
    padded = tf.pad(points, [[0, missing], [0, 0]])  # XLA compiles one shape
    results = [_log_sums(_sums_of_block_xla, b, centres, bandwidths) for b in _blocks(padded, _POINTS_PER_BLOCK)]
    return tf.concat(results, axis=1)[:, : len(points)]


def _log_sums(sums_of_block, points, centres, bandwidths):
    rates = 0.5 / bandwidths**2
    nearest, sums = sums_of_block(points, centres, tf.cast(rates, centres.dtype))
    return tf.math.log(tf.cast(sums, tf.float64)) - rates[:, None] * tf.cast(nearest, tf.float64)


def _blocks(x, size):
    return [x[start : start + size] for start in range(0, x.shape[0], size)]


def _squared_distances(points, centres):
    r = tf.reduce_sum(points * points, axis=1)[:, None] + tf.reduce_sum(centres * centres, axis=1)
    r -= 2 * tf.matmul(points, centres, transpose_b=True)
    return tf.maximum(r, 0)  # rounding makes equal rows negative


def _shifted_sums(r, rates):
    """Row minima `[b]` and `[num_bandwidths, b]` sums of exp(-rate * (r - minimum)): one shift serves all."""
    nearest = tf.reduce_min(r, axis=1)
    r = r - nearest[:, None]
    return nearest, tf.stack([tf.reduce_sum(tf.exp(-rate * r), axis=1) for rate in tf.unstack(rates)])


@tf.function(reduce_retracing=True)
def _sums_of_block(points, centres, rates):
    return _shifted_sums(_squared_distances(points, centres), rates)


_shifted_sums_xla = tf.function(_shifted_sums, jit_compile=True)


@tf.function
def _sums_of_block_xla(points, centres, rates):
    # The product runs faster outside of XLA, the exponentials inside.
    return _shifted_sums_xla(_squared_distances(points, centres), rates)
