"""What a decoder says about data: log p(x | z) for every pair of a test point and a latent, or row by row.

A likelihood of your own is a plain function: of `x` `[n, ...]` and `z` `[b, k]` to `[n, b]` for
`sampled_log_likelihood`, row by row to `[n]` for `importance_log_likelihood`.

The classes here compute in float64 where the data or the decoder's outputs are float64, else in float32.
"""

import math

import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics import arrays

_CLIP = 1e-7  # of probabilities, as in the reconstruction costs


class BernoulliLikelihood:
    """Independent Bernoulli pixels: log p(x | z) = x . l - sum(softplus(l)), l the logits of decode(z).

    Args:
        decode: Function from latents `[b, k]` to logits `[b, ...]`, in inference mode.
        logits: False for a `decode` that ends in probabilities (sigmoid), as the decoders of
            `tfmmd.networks` do by default; for a model of `tfmmd.models` its own `logits`.

    Raises:
        ValueError: From `table` and `pairs`, for data outside of [0, 1] (not while tracing).
    """

    def __init__(self, decode, *, logits=True):
        self.decode, self.logits = decode, bool(logits)

    def table(self, x, z):
        """log p(x_i | z_j) `[n, b]` of `x` `[n, ...]` in [0, 1] and `z` `[b, k]`: one matrix product."""
        x, logits = self._data_and_logits(x, z)
        return tf.matmul(x, logits, transpose_b=True) - _row_sums(tf.nn.softplus(logits))

    def pairs(self, x, z):
        """log p(x_i | z_i) `[n]` of `x` `[n, ...]` and `z` `[n, k]`."""
        x, logits = self._data_and_logits(x, z)
        return _row_sums(x * logits - tf.nn.softplus(logits))

    def _data_and_logits(self, x, z):
        x, outputs = _flat_pair(x, self.decode(z))
        _check_unit(x)
        if self.logits:
            return x, outputs
        outputs = tf.clip_by_value(outputs, _CLIP, 1.0 - _CLIP)
        return x, tf.math.log(outputs) - tf.math.log1p(-outputs)


class GaussianLikelihood:
    """Pixels with Gaussian noise: log p(x | z) = log N(x; decode(z), scale**2 I).

    Args:
        decode: Function from latents `[b, k]` to means `[b, ...]`, in inference mode.
        scale: Standard deviation of a pixel.
    """

    def __init__(self, decode, scale):
        self.decode, self.scale = decode, checks.positive_number("scale", scale)

    def table(self, x, z):
        """log p(x_i | z_j) `[n, b]` of `x` `[n, ...]` and `z` `[b, k]`: one matrix product."""
        x, means = _flat_pair(x, self.decode(z))
        squares = _row_sums(x * x)[:, None] + _row_sums(means * means)
        return self._of_squares(tf.maximum(squares - 2 * tf.matmul(x, means, transpose_b=True), 0), x)

    def pairs(self, x, z):
        """log p(x_i | z_i) `[n]` of `x` `[n, ...]` and `z` `[n, k]`."""
        x, means = _flat_pair(x, self.decode(z))
        return self._of_squares(_row_sums((x - means) ** 2), x)

    def _of_squares(self, squares, x):
        return -squares / (2 * self.scale**2) - x.shape[1] * math.log(self.scale * math.sqrt(2 * math.pi))


def standard_normal_log_prob(z):
    """log N(z; 0, I) `[n]` of latents `[n, k]`, constants included."""
    return -0.5 * _row_sums(z * z + math.log(2 * math.pi))


def diagonal_normal_log_prob(z, mean, log_variance):
    """log N(z; mean, exp(log_variance)) `[n]` of latents, means and log-variances `[n, k]`."""
    squares = (z - mean) ** 2 * tf.exp(-log_variance)
    return -0.5 * _row_sums(squares + log_variance + math.log(2 * math.pi))


def _flat(x):
    return tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])


def _flat_pair(x, outputs):
    """Data `[n, d]` and decoded values `[b, d]` of one dtype, float32 or float64."""
    return arrays.same_dtype(_flat(x), _flat(outputs))


def _check_unit(x):
    if tf.is_symbolic_tensor(x) or not x.shape.num_elements():
        return
    low, high = float(tf.reduce_min(x)), float(tf.reduce_max(x))
    if not 0 <= low <= high <= 1:
        checks.fail(
            "A Bernoulli likelihood needs `x` in [0, 1].",
            f"values from {low:g} to {high:g}",
            "Divide bytes by 255, load data with value_range=(0, 1), or use GaussianLikelihood.",
        )


def _row_sums(x):
    return tf.reduce_sum(x, axis=1)
