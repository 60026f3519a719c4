"""How an encoder network's output becomes a code: deterministic, noisy or Gaussian, of fixed or learned variance."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfmmd import checks
from tfmmd.registry import register

tfd = tfp.distributions


class Posterior:
    """Base of the posteriors Q(z|x).

    `noise(shape, role)` in the methods gives standard normal noise `[b, *shape]` of the training step.
    """

    outputs_per_code = 1

    def perturb(self, x, noise):
        """What the encoder sees of the data `x` `[b, ...]` in training."""
        return x

    def mean(self, outputs):
        """Mean code `[b, k]` of the encoder's outputs, float32."""
        return tf.cast(outputs, tf.float32)

    def draw(self, outputs, noise):
        """A random code `[b, k]` for each row of the encoder's outputs."""
        return self.mean(outputs)

    def distribution(self, outputs):
        """The TFP distribution Q(z|x), batch `[b]`, event `[k]`."""
        return tfd.VectorDeterministic(self.mean(outputs))

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@register
class DeterministicPosterior(Posterior):
    """One code per example: the encoder's output `[b, k]`."""


@register
class NoisyPosterior(Posterior):
    """A deterministic encoder that sees noisy data in training.

    z = encoder(x + scale * noise)

    Args:
        scale: Standard deviation of the noise (0.01 in tolstikhin/wae, there cut at two deviations).

    Reference: [tolstikhin2018]
    """

    def __init__(self, scale=0.01):
        self.scale = checks.positive_number("scale", scale)

    def perturb(self, x, noise):
        return x + self.scale * tf.cast(noise(x.shape[1:], "encoder_noise"), x.dtype)

    def get_config(self):
        return {"scale": self.scale}


@register
class ConstantVariancePosterior(Posterior):
    """N(encoder(x), scale**2 I): noise of one width on every code.

    z = encoder(x) + scale * noise

    The encoder can make the noise small by growing its codes: hold their size, as `networks.standardized` does.

    Args:
        scale: Standard deviation of the noise.

    Reference: [ghosh2020]
    """

    def __init__(self, scale=0.25):
        self.scale = checks.positive_number("scale", scale)

    def draw(self, outputs, noise):
        mean = self.mean(outputs)
        return mean + self.scale * noise(mean.shape[1:], "posterior")

    def distribution(self, outputs):
        mean = self.mean(outputs)
        return tfd.MultivariateNormalDiag(mean, tf.fill(tf.shape(mean), self.scale))

    def get_config(self):
        return {"scale": self.scale}


@register
class GaussianPosterior(Posterior):
    """N(mean, exp(log_variance)), diagonal; the encoder gives both, `[b, 2 * k]`: means first.

    z = mean + exp(log_variance / 2) * noise

    Args:
        low: Lower clip of the log variance.
        high: Upper clip of the log variance.

    Reference: [kingma2013]
    """

    outputs_per_code = 2

    def __init__(self, low=-20.0, high=20.0):
        if not low < high:
            checks.fail("`low` must be below `high`.", f"low={low!r}, high={high!r}", "Swap them.")
        self.low, self.high = float(low), float(high)

    def moments(self, outputs):
        """Mean and log variance, each `[b, k]` float32."""
        mean, log_variance = tf.split(tf.cast(outputs, tf.float32), 2, axis=-1)
        return mean, tf.clip_by_value(log_variance, self.low, self.high)

    def mean(self, outputs):
        return self.moments(outputs)[0]

    def draw(self, outputs, noise):
        mean, log_variance = self.moments(outputs)
        return mean + tf.exp(0.5 * log_variance) * noise(mean.shape[1:], "posterior")

    def distribution(self, outputs):
        mean, log_variance = self.moments(outputs)
        return tfd.MultivariateNormalDiag(mean, tf.exp(0.5 * log_variance))

    def get_config(self):
        return {"low": self.low, "high": self.high}


POSTERIORS = {
    "deterministic": DeterministicPosterior,
    "noisy": NoisyPosterior,
    "constant_variance": ConstantVariancePosterior,
    "gaussian": GaussianPosterior,
}


def resolve(posterior):
    """The posterior of a name, or the posterior itself."""
    if isinstance(posterior, Posterior):
        return posterior
    return POSTERIORS[checks.one_of("posterior", posterior, POSTERIORS)]()
