"""Latent laws: where a generator's noise comes from.

A prior knows two ways to draw, both stateless (see `tfmmd.seeds`): a block for a training step and one row
per seed for sampling and serving. `distribution()` is its TFP view.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from tfmmd import checks, seeds
from tfmmd.registry import register

tfd = tfp.distributions


class Prior:
    """Base of the priors: a transform of uniform or normal noise.

    Args:
        size: Code size `k`.
    """

    def __init__(self, size):
        self.size = checks.positive_int("size", size)

    def draw(self, num_samples, seed_pair):
        """A block of codes `[n, k]` for a training step, from a seed pair (`seeds.pair`)."""
        return self.transform(self._block([num_samples, self.size], seed_pair))

    def rows(self, row_seeds, role="latent"):
        """Codes `[n, k]`, row i from the int64 `row_seeds[i]` alone."""
        return self.transform(self._rows(row_seeds, self.size, role))

    _block = staticmethod(seeds.normal)
    _rows = staticmethod(seeds.normal_rows)

    def transform(self, noise):
        """Standard noise `[n, k]` -> codes `[n, k]`."""
        raise NotImplementedError

    def constrain(self, codes):
        """Brings an encoder's outputs `[b, k]` into the support of the prior; a full support leaves them."""
        return codes

    def distribution(self):
        """The TFP distribution of a code `[k]`."""
        raise NotImplementedError

    def get_config(self):
        return {"size": self.size}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({settings})"


@register
class Uniform(Prior):
    """Independent uniform coordinates on [low, high), the noise of GMMN.

    Args:
        size: Code size `k`.
        low: Lower end.
        high: Upper end, above `low`.

    Reference: [li2015]
    """

    _block = staticmethod(seeds.uniform)
    _rows = staticmethod(seeds.uniform_rows)

    def __init__(self, size, low=-1.0, high=1.0):
        super().__init__(size)
        if not low < high:
            checks.fail("`low` must be below `high`.", f"low={low!r}, high={high!r}", "Swap them.")
        self.low, self.high = float(low), float(high)

    def transform(self, noise):
        return self.low + (self.high - self.low) * noise

    def constrain(self, codes):
        return self.low + (self.high - self.low) * 0.5 * (tf.tanh(codes) + 1.0)

    def distribution(self):
        return tfd.Independent(tfd.Uniform(tf.fill([self.size], self.low), tf.fill([self.size], self.high)), 1)

    def get_config(self):
        return {**super().get_config(), "low": self.low, "high": self.high}


@register
class Normal(Prior):
    """N(0, scale**2 I).

    Args:
        size: Code size `k`.
        scale: Standard deviation of each coordinate.
    """

    def __init__(self, size, scale=1.0):
        super().__init__(size)
        self.scale = checks.positive_number("scale", scale)

    def transform(self, noise):
        return self.scale * noise

    def distribution(self):
        return tfd.MultivariateNormalDiag(tf.zeros([self.size]), tf.fill([self.size], self.scale))

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@register
class Sphere(Prior):
    """Uniform on the unit sphere of R^k.

    Args:
        size: Code size `k`.
    """

    def transform(self, noise):
        return tf.math.l2_normalize(noise, axis=-1)

    constrain = transform

    def distribution(self):
        return tfd.SphericalUniform(self.size)
