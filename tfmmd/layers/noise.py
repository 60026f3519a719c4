"""Training noise inside of networks, a function of (seed, step) that a saved model resumes exactly."""

import keras
import tensorflow as tf

from tfmmd import checks, distribute, seeds
from tfmmd.registry import register


class NoiseLayer(keras.layers.Layer):
    """Base of the noise layers: counts its training calls and draws for the global batch.

    The count is a variable, saved with the weights; each replica takes its own rows of the global draw.

    Args:
        seed: int64; None draws a fresh one, kept in the config. Layers of one network need different seeds.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seeds.fresh() if seed is None else checks.int64("seed", seed)
        self.supports_masking = True

    def build(self, input_shape):
        self.step = self.add_weight(
            name="step",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def call(self, x, training=False):
        if not training or self.is_off():
            return x
        pair = seeds.pair(self.seed, self.step.value, type(self).__name__)
        self.step.assign_add(1)
        shape = tf.shape(x)
        noise = distribute.own_rows(lambda n: self.draw(tf.concat([[n], shape[1:]], 0), pair), shape[0])
        noisy = self.disturb(tf.cast(x, tf.float32), tf.ensure_shape(noise, x.shape))
        return tf.cast(noisy, x.dtype)

    def is_off(self):
        """Whether the settings mean no noise at all."""
        raise NotImplementedError

    def draw(self, shape, seed_pair):
        """float32 noise `[*shape]`."""
        raise NotImplementedError

    def disturb(self, x, noise):
        """Float32 `x` `[b, ...]` under noise of the same shape."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@register
class GaussianNoise(NoiseLayer):
    """Adds N(0, stddev**2) noise in training, as between all layers of Improved GAN's MNIST critic.

    Args:
        stddev: Standard deviation, zero or more.
        seed: int64; None draws a fresh one, kept in the config. Layers of one network need different seeds.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        noisy = keras.Sequential([keras.Input((3,)), GaussianNoise(0.3, seed=1), keras.layers.Dense(2)])
        noisy(tf.zeros([4, 3]), training=True)
        ```

    Reference: [salimans2016]
    """

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.stddev = checks.non_negative("stddev", stddev)

    def is_off(self):
        return self.stddev == 0

    def draw(self, shape, seed_pair):
        return seeds.normal_block(shape, seed_pair)

    def disturb(self, x, noise):
        return x + self.stddev * noise

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}


@register
class Dropout(NoiseLayer):
    """Sets a share of the entries to zero in training and scales the others up, as in `keras.layers.Dropout`.

    Args:
        rate: Share of zeros in [0, 1).
        seed: int64; None draws a fresh one, kept in the config. Layers of one network need different seeds.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        Dropout(0.5, seed=1)(tf.ones([4, 3]), training=True)
        ```
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.rate = checks.dropout_rate("rate", rate)

    def is_off(self):
        return self.rate == 0

    def draw(self, shape, seed_pair):
        return seeds.uniform(shape, seed_pair)

    def disturb(self, x, noise):
        return tf.where(noise >= self.rate, x / (1.0 - self.rate), 0.0)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
