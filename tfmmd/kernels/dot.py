"""Kernels of the inner product: linear and polynomial."""

import abc

import tensorflow as tf

from tfmmd import checks
from tfmmd.kernels.base import PairwiseKernel, Slopes, elementwise_slope
from tfmmd.registry import register


class DotKernel(PairwiseKernel):
    """A function of the inner product and the number of features: a sub-class gives `of_inner_product`."""

    uses_product = True

    @abc.abstractmethod
    def of_inner_product(self, dot, num_features):
        """The kernel of inner products, entry by entry."""

    def value_and_slope(self, dot, num_features):
        """The kernel and its derivative with respect to the inner product, entry by entry."""
        return elementwise_slope(lambda p: self.of_inner_product(p, num_features), dot)

    def of_pairs(self, pairs):
        return self.of_inner_product(pairs.inner_product, pairs.num_features)

    def slopes(self, pairs):
        value, slope = self.value_and_slope(pairs.inner_product, pairs.num_features)
        return Slopes(value, by_product=slope)


@register
class Linear(DotKernel):
    """Linear kernel: its squared MMD is the squared distance of the means.

    k(x, y) = x . y
    """

    def of_inner_product(self, dot, num_features):
        return dot

    def value_and_slope(self, dot, num_features):
        return dot, tf.ones_like(dot)


@register
class Polynomial(DotKernel):
    """Polynomial kernel; the defaults are those of the kernel inception distance.

    k(x, y) = (gamma * x . y + coef0)**degree

    Args:
        degree: Positive whole number.
        gamma: Positive factor, or None for 1 / d with d the number of features.
        coef0: Number of zero or more.

    Reference: [binkowski2018]
    """

    def __init__(self, degree=3, gamma=None, coef0=1.0):
        self.degree = checks.positive_int("degree", degree)
        self.gamma = gamma if gamma is None else checks.positive_number("gamma", gamma)
        self.coef0 = checks.non_negative("coef0", coef0)

    def of_inner_product(self, dot, num_features):
        return tf.pow(self._base(dot, num_features)[0], self.degree)

    def value_and_slope(self, dot, num_features):
        base, gamma = self._base(dot, num_features)
        lower = tf.ones_like(base)
        for _ in range(self.degree - 1):
            lower *= base
        return lower * base, self.degree * gamma * lower

    def _base(self, dot, num_features):
        gamma = 1.0 / tf.cast(num_features, dot.dtype) if self.gamma is None else self.gamma
        return gamma * dot + self.coef0, gamma

    def get_config(self):
        return {"degree": self.degree, "gamma": self.gamma, "coef0": self.coef0}
