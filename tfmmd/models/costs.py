"""Reconstruction costs c(x, y) of an auto-encoder: data and reconstruction -> one number per example."""

import math

import tensorflow as tf

from tfmmd import checks
from tfmmd.registry import register

CLIP = 1e-7  # of probabilities: the smallest distance to 1 that float32 resolves well
ROOT_FLOOR = 1e-8  # tolstikhin/wae wae.py, under the root


def squared(x, y):
    """||x - y||**2, `[b]`: with a latent penalty, the squared 2-Wasserstein distance."""
    return per_example(tf.square(x - y))


def absolute(x, y):
    """sum(|x - y|), `[b]`."""
    return per_example(tf.abs(x - y))


def root(x, y):
    """||x - y||, `[b]`."""
    return tf.sqrt(ROOT_FLOOR + squared(x, y))


def cross_entropy(x, y):
    """-sum(x log y + (1 - x) log(1 - y)), `[b]`, of `x` in [0, 1] and probabilities `y`."""
    y = tf.clip_by_value(y, CLIP, 1.0 - CLIP)
    return -per_example(x * tf.math.log(y) + (1.0 - x) * tf.math.log1p(-y))


def cross_entropy_of_logits(x, logits):
    """`cross_entropy(x, sigmoid(logits))`, exact for logits of any size."""
    return per_example(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits))


@register
class GaussianCost:
    """-log N(x; y, scale**2 I), `[b]`.

    Args:
        scale: Standard deviation of each coordinate.
    """

    def __init__(self, scale=1.0):
        self.scale = checks.positive_number("scale", scale)

    def __call__(self, x, y):
        size = math.prod(x.shape[1:])
        return squared(x, y) / (2 * self.scale**2) + 0.5 * size * math.log(2 * math.pi * self.scale**2)

    def get_config(self):
        return {"scale": self.scale}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


COSTS = {"squared": squared, "absolute": absolute, "root": root, "cross_entropy": cross_entropy}
UNIT_INTERVAL = ("cross_entropy",)  # costs that need data in [0, 1]


def check(cost):
    """Returns `cost` when it is a known name or a function `(x, y) -> [b]`."""
    return cost if callable(cost) else checks.one_of("cost", cost, COSTS)


def function(cost):
    """The function of a name or function."""
    return cost if callable(cost) else COSTS[cost]


def per_example(values):
    """Sums over all axes but the first, `[b, ...]` -> `[b]`."""
    return tf.reduce_sum(values, axis=tuple(range(1, len(values.shape))))
