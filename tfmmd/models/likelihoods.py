"""Laws P(x|z) of the data given a decoder's output, as exponential families.

log P(x|z) = x . weights(z) - offset(z) + base(x), so that all pairs of data and codes are one matrix product.
"""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfmmd import checks
from tfmmd.models.costs import CLIP

tfd = tfp.distributions
LIKELIHOODS = ("bernoulli", "gaussian")


class Bernoulli:
    """Independent bits; of grey pixels in [0, 1] the cross-entropy, which is no density.

    Args:
        logits: Whether the decoder ends in logits or in probabilities.
    """

    def __init__(self, logits):
        self.logits = logits

    def matrix(self, x, outputs):
        """log P(x_i|z_m) `[b, m]` of data `[b, d]` and decoder outputs `[m, d]`, by one matrix product."""
        logits = self.logits_of(outputs)
        return tf.matmul(x, logits, transpose_b=True) - tf.reduce_sum(tf.nn.softplus(logits), axis=1)

    def paired(self, x, outputs):
        """log P(x_i|z_is) `[b, s]` of data `[b, d]` and decoder outputs `[b, s, d]`."""
        logits = self.logits_of(outputs)
        return tf.reduce_sum(x[:, None] * logits - tf.nn.softplus(logits), axis=-1)

    def logits_of(self, outputs):
        """Logits of the decoder's outputs, float32."""
        outputs = tf.cast(outputs, tf.float32)
        if self.logits:
            return outputs
        outputs = tf.clip_by_value(outputs, CLIP, 1.0 - CLIP)
        return tf.math.log(outputs) - tf.math.log1p(-outputs)

    def distribution(self, outputs):
        """The TFP law of data `[...]` given decoder outputs `[b, ...]`."""
        return tfd.Independent(tfd.Bernoulli(logits=self.logits_of(outputs)), len(outputs.shape) - 1)


class Gaussian:
    """N(decoder output, scale**2 I).

    Args:
        log_scale: Log standard deviation, a number or a scalar variable.
        logits: Whether the mean is the sigmoid of the decoder's output.
    """

    def __init__(self, log_scale, logits=False):
        self.log_scale, self.logits = log_scale, logits

    def matrix(self, x, outputs):
        """As `Bernoulli.matrix`."""
        means = self.means_of(outputs)
        squares = tf.reduce_sum(tf.square(x), axis=1)[:, None] + tf.reduce_sum(tf.square(means), axis=1)
        exponent = (tf.matmul(x, means, transpose_b=True) - 0.5 * squares) / self.variance()
        return exponent - self.constant(x.shape[-1])

    def paired(self, x, outputs):
        """As `Bernoulli.paired`."""
        squares = tf.reduce_sum(tf.square(x[:, None] - self.means_of(outputs)), axis=-1)
        return -0.5 * squares / self.variance() - self.constant(x.shape[-1])

    def means_of(self, outputs):
        """Means of the decoder's outputs, float32."""
        outputs = tf.cast(outputs, tf.float32)
        return tf.sigmoid(outputs) if self.logits else outputs

    def variance(self):
        """The variance, a scalar."""
        return tf.exp(2.0 * tf.cast(self.log_scale, tf.float32))

    def constant(self, size):
        """Log of the normaliser of `size` coordinates."""
        return size * (tf.cast(self.log_scale, tf.float32) + 0.5 * math.log(2.0 * math.pi))

    def distribution(self, outputs):
        """As `Bernoulli.distribution`."""
        law = tfd.Normal(self.means_of(outputs), tf.sqrt(self.variance()))
        return tfd.Independent(law, len(outputs.shape) - 1)


def make(likelihood, *, logits, scale, learn_scale):
    """The likelihood of a name; a learned scale is a Keras variable in its `log_scale`."""
    checks.one_of("likelihood", likelihood, LIKELIHOODS)
    log_scale = math.log(checks.positive_number("scale", scale))
    if likelihood == "bernoulli":
        return Bernoulli(logits)
    if learn_scale:
        log_scale = keras.Variable(log_scale, name="log_scale", dtype="float32")
    return Gaussian(log_scale, logits)


def log_normal(codes, means, log_variances):
    """log N(codes; means, diag(exp(log_variances))) `[...]` of broadcasting tensors `[..., k]`."""
    square = tf.square(codes - means) * tf.exp(-log_variances)
    return -0.5 * tf.reduce_sum(square + log_variances + math.log(2.0 * math.pi), axis=-1)
