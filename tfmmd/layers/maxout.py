"""Maxout: a dense layer whose units each take the largest of several linear pieces."""

import keras
import tensorflow as tf

from tfmmd import checks
from tfmmd.registry import register


@register
class Maxout(keras.layers.Layer):
    """h_u = max over pieces p of (x W + b)[u, p]: a learned convex activation.

    Args:
        units: Size of the output, `u`.
        pieces: Linear pieces of a unit, `p`.
        kernel_initializer: Initializer of the weights `[d, u * p]`.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        Maxout(240, pieces=5)(tf.zeros([2, 784]))  # [2, 240]
        ```

    Reference: [goodfellow2013]
    """

    def __init__(self, units, pieces=5, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = checks.positive_int("units", units)
        self.pieces = checks.positive_int("pieces", pieces)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        width = self.units * self.pieces
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], width), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros")

    def call(self, x):
        pieces = tf.matmul(x, self.kernel) + self.bias
        return tf.reduce_max(tf.reshape(pieces, [-1, self.units, self.pieces]), axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        config = {"units": self.units, "pieces": self.pieces}
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), **config, "kernel_initializer": initializer}
