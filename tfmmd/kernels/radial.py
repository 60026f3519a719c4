"""Kernels of the distance: Gaussian, Laplacian, rational quadratic, inverse multiquadric, energy."""

import abc
import math

import tensorflow as tf

from tfmmd import checks
from tfmmd.kernels.base import PairwiseKernel, Slopes, elementwise_slope
from tfmmd.kernels.pairs import safe_root
from tfmmd.registry import register


class RadialKernel(PairwiseKernel):
    """A function of the squared distance: a sub-class gives `of_squared_distance`.

    `value_and_slope` may be overridden by the closed form; by default the slope is found by automatic
    differentiation, entry by entry.
    """

    uses_distance = True

    @abc.abstractmethod
    def of_squared_distance(self, d2):
        """The kernel of squared distances, entry by entry."""

    def value_and_slope(self, d2):
        """The kernel and its derivative with respect to the squared distance, entry by entry."""
        return elementwise_slope(self.of_squared_distance, d2)

    def of_pairs(self, pairs):
        return self.of_squared_distance(pairs.squared_distance)

    def slopes(self, pairs):
        value, slope = self.value_and_slope(pairs.squared_distance)
        return Slopes(value, by_distance=slope)


@register
class Gaussian(RadialKernel):
    """Gaussian kernel, summed over bandwidths.

    k(x, y) = sum(exp(-||x - y||**2 / (2 * s**2)) for s in bandwidths)

    Args:
        bandwidths: Positive lengths, in the units of the data (not variances).

    Reference: [gretton2012]
    """

    def __init__(self, bandwidths=(1.0,)):
        self.bandwidths = checks.positive("bandwidths", bandwidths)

    def of_squared_distance(self, d2):
        return tf.add_n([tf.exp(d2 * (-0.5 / s**2)) for s in self.bandwidths])

    def value_and_slope(self, d2):
        rates, terms = self._exponentials(d2)
        return tf.add_n(terms), tf.add_n([-c * e for c, e in zip(rates, terms)])

    def _exponentials(self, d2):
        """Rates c = 1 / (2 s**2), ascending, and exp(-c d2): powers of the last one where c doubles or quadruples.

        Squaring multiplies the relative error, so a fresh exponential starts every third term.
        """
        rates = sorted(1.0 / (2.0 * s**2) for s in self.bandwidths)
        terms, run = [], 0
        for i, c in enumerate(rates):
            ratio = c / rates[i - 1] if i else 0.0
            squarings = next((p for p in (1, 2) if math.isclose(ratio, 2.0**p, rel_tol=1e-12)), None)
            run = run + 1 if squarings and run < 2 else 0
            terms.append(_squared(terms[-1], squarings) if run else tf.exp(-c * d2))
        return rates, terms

    def get_config(self):
        return {"bandwidths": self.bandwidths}


@register
class Laplacian(RadialKernel):
    """Laplacian kernel of the Euclidean distance, summed over bandwidths.

    k(x, y) = sum(exp(-||x - y|| / s) for s in bandwidths)

    Args:
        bandwidths: Positive lengths, in the units of the data.
    """

    def __init__(self, bandwidths=(1.0,)):
        self.bandwidths = checks.positive("bandwidths", bandwidths)

    def of_squared_distance(self, d2):
        distance = safe_root(d2)
        return tf.add_n([tf.exp(distance * (-1.0 / s)) for s in self.bandwidths])

    def value_and_slope(self, d2):
        inverse = _inverse_root(d2)
        distance = d2 * inverse
        terms = [tf.exp(distance * (-1.0 / s)) for s in self.bandwidths]
        slope = tf.add_n([e * (-0.5 / s) for s, e in zip(self.bandwidths, terms)]) * inverse
        return tf.add_n(terms), slope

    def get_config(self):
        return {"bandwidths": self.bandwidths}


@register
class RationalQuadratic(RadialKernel):
    """Rational quadratic kernel, summed over exponents: a scale mixture of Gaussians with heavy tails.

    k(x, y) = sum((1 + ||x - y||**2 / (2 * a))**-a for a in alphas)

    Args:
        alphas: Positive exponents.

    Reference: [binkowski2018]
    """

    def __init__(self, alphas=(0.2, 0.5, 1.0, 2.0, 5.0)):
        self.alphas = checks.positive("alphas", alphas)

    def of_squared_distance(self, d2):
        return tf.add_n([tf.exp(-a * tf.math.log1p(d2 * (0.5 / a))) for a in self.alphas])

    def value_and_slope(self, d2):
        values, slopes = [], []
        for a in self.alphas:
            inverse = tf.math.reciprocal(1.0 + d2 * (0.5 / a))
            values.append(_power(inverse, a))
            slopes.append(values[-1] * inverse)
        return tf.add_n(values), -0.5 * tf.add_n(slopes)

    def get_config(self):
        return {"alphas": self.alphas}


@register
class InverseMultiquadric(RadialKernel):
    """Inverse multiquadric kernel, summed over scales: the kernel of WAE-MMD.

    k(x, y) = sum(c / (c + ||x - y||**2) for c in scales)

    Args:
        scales: Positive numbers `c`, in squared units of the data.

    Reference: [tolstikhin2018]
    """

    def __init__(self, scales=(1.0,)):
        self.scales = checks.positive("scales", scales)

    def of_squared_distance(self, d2):
        return tf.add_n([c / (c + d2) for c in self.scales])

    def value_and_slope(self, d2):
        values = [c / (c + d2) for c in self.scales]
        slope = tf.add_n([tf.square(f) * (-1.0 / c) for c, f in zip(self.scales, values)])
        return tf.add_n(values), slope

    def get_config(self):
        return {"scales": self.scales}


@register
class Energy(RadialKernel):
    """Negative distance: its squared MMD is the energy distance. Free of any bandwidth.

    k(x, y) = -||x - y||

    Conditionally positive definite: differences of its means are meaningful, its sign is not.

    Reference: [szekely2013]
    """

    def of_squared_distance(self, d2):
        return -safe_root(d2)

    def value_and_slope(self, d2):
        inverse = _inverse_root(d2)
        return -d2 * inverse, -0.5 * inverse


def _inverse_root(d2):
    """1 / sqrt(d2), and 0 where d2 is 0."""
    tiny = tf.constant(1e-30, d2.dtype)
    return tf.where(d2 > tiny, tf.math.rsqrt(tf.maximum(d2, tiny)), tf.zeros_like(d2))


def _squared(value, times):
    for _ in range(times):
        value = tf.square(value)
    return value


def _power(base, exponent):
    """base**exponent for base > 0: products and a root where they suffice, which cost less than log and exp."""
    if 2.0 * exponent != int(2.0 * exponent) or exponent > 16.0:
        return tf.exp(exponent * tf.math.log(base))
    result = tf.sqrt(base) if exponent % 1.0 else None
    factor, whole = base, int(exponent)
    while whole:
        if whole & 1:
            result = factor if result is None else result * factor
        whole >>= 1
        factor = tf.square(factor) if whole else factor
    return result
