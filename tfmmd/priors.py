"""Latent laws: where a generator's noise comes from.

A prior knows two ways to draw, both stateless (see `tfmmd.seeds`): a block for a training step and one row
per seed for sampling and serving. `distribution()` is its TFP view.
"""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfmmd import checks, seeds
from tfmmd.registry import register

tfd = tfp.distributions
_PAIRS_PER_BLOCK = 4_000_000  # codes x components at a time in a mixture's density: 32 MB


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

    _block: Callable = staticmethod(seeds.normal)
    _rows: Callable = staticmethod(seeds.normal_rows)

    def transform(self, noise):
        """Standard noise `[n, k]` -> codes `[n, k]`."""
        raise NotImplementedError

    def constrain(self, codes):
        """Brings an encoder's outputs `[b, k]` into the support of the prior; a full support leaves them."""
        return codes

    def distribution(self):
        """The TFP distribution of a code `[k]`."""
        raise NotImplementedError

    def log_prob(self, codes):
        """log P(z) `[m]` of codes `[m, k]`."""
        return self.distribution().log_prob(codes)

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
        self.low, self.high = checks.number("low", low), checks.number("high", high)
        if not -math.inf < self.low < self.high < math.inf:
            checks.fail("`low` must be below `high`.", f"low={low!r}, high={high!r}", "Swap them.")

    def transform(self, noise):
        return self.low + (self.high - self.low) * noise

    def constrain(self, codes):
        return self.low + (self.high - self.low) * 0.5 * (tf.tanh(codes) + 1.0)

    def distribution(self):
        return tfd.Independent(
            tfd.Uniform(tf.fill([self.size], self.low), tf.fill([self.size], self.high)), 1
        )

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
        square = tf.reduce_sum(tf.square(noise), axis=-1, keepdims=True)
        # sqrt and division round alike at every place of a vector, rsqrt does not: a row keeps its bits
        return noise / tf.sqrt(tf.maximum(square, 1e-12))

    constrain = transform

    def distribution(self):
        return tfd.SphericalUniform(self.size)


@register
class DataMixture(Prior):
    """A mixture with one Gaussian kernel per training row, the learned latent law of `models.GAE`.

    P(z) = (1 / n) * sum_j N(z; means[j], diag(scales[j]**2))

    Args:
        means: Array, tensor or Keras variable `[n, k]`. A variable is read anew at every call.
        scales: Standard deviations `[n, k]`, positive.

    Example:
        >>> mixture = tfmmd.priors.DataMixture([[0.0], [2.0]], [[0.1], [0.1]])
        >>> mixture.log_prob([[0.0]])
    """

    def __init__(self, means, scales):
        self.means, self.scales = (
            v if isinstance(v, keras.Variable) else _matrix(name, v)
            for name, v in (("means", means), ("scales", scales))
        )
        if (
            tuple(self.means.shape) != tuple(self.scales.shape)
            or len(self.means.shape) != 2
            or not self.means.shape[0]
        ):
            checks.fail(
                "`means` and `scales` must have one shape [n, k] with n >= 1.",
                f"means.shape={tuple(self.means.shape)}, scales.shape={tuple(self.scales.shape)}",
                "Give one row of each per component.",
            )
        if not isinstance(scales, keras.Variable):
            checks.finite("means", self.means)
            checks.positive("scales", self.scales)
        super().__init__(self.means.shape[1])

    @property
    def num_components(self):
        """Number of components, `n`."""
        return self.means.shape[0]

    def draw(self, num_samples, seed_pair):
        pair = seeds.pair(seed_pair[0], seed_pair[1], "component")
        words = seeds.uniform([num_samples], pair, 0, self.num_components, dtype=tf.int32)
        return self.place(words, seeds.normal([num_samples, self.size], seed_pair))

    def rows(self, row_seeds, role="latent"):
        words = seeds.bits_rows(row_seeds, 1, f"{role}/component")[:, 0]
        components = tf.bitwise.right_shift(words * self.num_components, tf.constant(32, tf.uint64))
        return self.place(tf.cast(components, tf.int32), seeds.normal_rows(row_seeds, self.size, role))

    def draw_stratified(self, num_samples, seed_pair):
        """Codes `[m, k]` whose components are drawn without replacement: lower variance than `draw`.

        Every component is visited once before one is visited again; a function of the whole block.
        """
        return self.place(
            self.stratified_components(num_samples, seed_pair),
            seeds.normal([num_samples, self.size], seed_pair),
        )

    def stratified_components(self, num_samples, seed_pair):
        """The int32 components `[m]` of `draw_stratified`: one random order of all after another."""
        rounds = math.ceil(num_samples / self.num_components)
        orders = [
            tf.random.experimental.stateless_shuffle(
                tf.range(self.num_components),
                seeds.pair(seed_pair[0], seed_pair[1], f"order/{i}"),
                alg="philox",
            )
            for i in range(rounds)
        ]
        return tf.concat(orders, axis=0)[:num_samples]

    def place(self, components, noise):
        """Standard noise `[m, k]` -> codes `[m, k]` of the int32 `components` `[m]`."""
        means, scales = (tf.gather(tf.convert_to_tensor(v), components) for v in (self.means, self.scales))
        return means + scales * noise

    def log_prob(self, codes):
        """log P(z) of codes `[m, k]`, exact over all components, by blocks of matrix products.

        Exponents are float64: at narrow kernels they are small differences of large numbers.

        Returns:
            Tensor `[m]` of the codes' dtype.
        """
        codes = _matrix("codes", checks.batch("codes", codes, (self.size,)))
        factors = log_kernel_factors(self.means, self.scales)
        rows = tf.shape(codes)[0]
        block = tf.clip_by_value(rows, 1, max(1, _PAIRS_PER_BLOCK // self.num_components))
        padded = tf.pad(codes, [[0, -rows % block], [0, 0]])

        def of_block(z):
            return tf.cast(tf.reduce_logsumexp(log_kernels_by(z, *factors), axis=1), codes.dtype)

        values = tf.map_fn(of_block, tf.reshape(padded, [-1, block, self.size]), parallel_iterations=1)
        return tf.reshape(values, [-1])[:rows] - math.log(self.num_components)

    def distribution(self):
        means, scales = tf.convert_to_tensor(self.means), tf.convert_to_tensor(self.scales)
        kernels = tfd.MultivariateNormalDiag(means, scales)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros([self.num_components])), kernels)

    def get_config(self):
        return {"means": np.asarray(self.means).tolist(), "scales": np.asarray(self.scales).tolist()}

    def __repr__(self):
        return f"DataMixture(num_components={self.num_components}, size={self.size})"


def log_kernels(codes, means, scales):
    """log N(z_i; means_j, diag(scales_j**2)) of codes `[m, k]` and kernels `[n, k]`.

    Returns:
        float64 tensor `[m, n]`; differentiable in all arguments.
    """
    return log_kernels_by(codes, *log_kernel_factors(means, scales))


def log_kernel_factors(means, scales):
    """What `log_kernels_by` needs of the kernels, float64: a centre `[k]`, weights `[n, 2 * k]`, offsets `[n]`."""
    means, scales = (tf.cast(tf.convert_to_tensor(v), tf.float64) for v in (means, scales))
    centre = tf.stop_gradient(tf.reduce_mean(means, axis=0))  # differences stay, rounding shrinks
    means, precision = means - centre, tf.square(1.0 / scales)
    constants = tf.square(means) * precision + 2.0 * tf.math.log(scales) + math.log(2.0 * math.pi)
    weights = tf.concat([means * precision, -0.5 * precision], axis=1)
    return centre, weights, -0.5 * tf.reduce_sum(constants, axis=1)


def log_kernels_by(codes, centre, weights, offset):
    """`log_kernels` of codes `[m, k]` by the factors of the kernels: one matrix product."""
    codes = tf.cast(codes, tf.float64) - centre
    return tf.matmul(tf.concat([codes, tf.square(codes)], axis=1), weights, transpose_b=True) + offset


def _matrix(name, values):
    values = checks.tensor(name, values)
    return values if values.dtype.is_floating else tf.cast(values, tf.float32)
