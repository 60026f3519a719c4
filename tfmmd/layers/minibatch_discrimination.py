"""Minibatch discrimination: lets a critic compare the examples of a batch with each other."""

import keras
import tensorflow as tf

from tfmmd import checks, distribute
from tfmmd.layers.initialization import initializing
from tfmmd.registry import register

_TINY = 1e-8


@register
class MinibatchDiscrimination(keras.layers.Layer):
    """Appends to each example how close it lies to the other examples of the batch.

    M = x T, [b, num_kernels, kernel_size]; closeness[i, k] = sum(exp(-||M[i, k] - M[j, k]||_1) for j != i)
    y = concat[x, closeness + bias]

    The batch is the global one under a strategy. Real and generated examples belong in separate batches: the
    layer compares within one call. `tfmmd.layers.initialize` scales the kernels to the distances of a batch.

    Args:
        num_kernels: Number of features that are appended.
        kernel_size: Dimension of each kernel's space.
        include_self: Whether j = i counts, as in the paper's formula (a constant 1); the code leaves it out.
        weight_normalization: Whether each column of T is `exp(log_scale)` times a direction, as in the code.
        use_bias: Whether a bias is added, initially -1.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        inputs = keras.Input((8,))
        features = MinibatchDiscrimination(num_kernels=4, kernel_size=3)(inputs)
        critic = keras.Model(inputs, keras.layers.Dense(1)(features))
        ```

    Reference: [salimans2016]
    """

    def __init__(
        self,
        num_kernels=100,
        kernel_size=5,
        *,
        include_self=False,
        weight_normalization=True,
        use_bias=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_kernels = checks.positive_int("num_kernels", num_kernels)
        self.kernel_size = checks.positive_int("kernel_size", kernel_size)
        self.include_self, self.use_bias = bool(include_self), bool(use_bias)
        self.weight_normalization = bool(weight_normalization)

    def build(self, input_shape):
        if len(input_shape) != 2 or input_shape[-1] is None:
            checks.fail(
                "`MinibatchDiscrimination` takes rows of features, [b, a].",
                f"input_shape={tuple(input_shape)}",
                "Put keras.layers.Flatten() before it.",
            )
        size = (self.num_kernels, self.kernel_size)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], *size),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
        )
        if self.weight_normalization:
            self.log_scale = self.add_weight(name="log_scale", shape=size, initializer="zeros")
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.num_kernels,), initializer=keras.initializers.Constant(-1.0)
            )

    def call(self, x):
        features = tf.cast(x, tf.float32)
        projection = tf.einsum("ba,akc->bkc", features, self.tensor())
        if initializing():
            projection = self._set_from(projection)
        closeness = self._closeness(self._distances(projection))
        if self.use_bias:
            closeness += tf.cast(self.bias, tf.float32)
        return tf.cast(tf.concat([features, closeness], axis=1), self.compute_dtype)

    def tensor(self):
        """T, float32 `[a, num_kernels, kernel_size]`."""
        kernel = tf.cast(self.kernel, tf.float32)
        if not self.weight_normalization:
            return kernel
        return tf.math.l2_normalize(kernel, axis=0) * tf.exp(tf.cast(self.log_scale, tf.float32))

    def _distances(self, projection):
        """L1 distances `[b, global b, num_kernels]`, summed axis by axis to save memory."""
        axes = [tf.unstack(p, self.kernel_size, axis=2) for p in (projection, distribute.gather(projection))]
        return tf.add_n([tf.abs(own[:, None] - other[None]) for own, other in zip(*axes)])

    def _closeness(self, distances):
        counted = 1.0 if self.include_self else 1.0 - self._to_self(distances)
        return tf.reduce_sum(tf.exp(-distances) * counted, axis=1)

    def _to_self(self, distances):
        """1 for an example with itself, 0 for all other pairs, `[b, global b, 1]`."""
        own = distribute.own_rows(tf.range, tf.shape(distances)[0])
        return tf.one_hot(own, tf.shape(distances)[1])[:, :, None]

    def _set_from(self, projection):
        distances = self._distances(projection)
        if self.weight_normalization:
            to_others = distances + 1e6 * self._to_self(distances)
            nearest = tf.reduce_mean(tf.reduce_min(to_others, axis=1), axis=0)
            factor = 1.0 / (0.5 * nearest + _TINY)
            self.log_scale.assign_add(tf.math.log(factor)[:, None] * tf.ones([1, self.kernel_size]))
            projection *= factor[:, None]
        if self.use_bias:
            self.bias.assign(-tf.reduce_mean(self._closeness(self._distances(projection)), axis=0))
        return projection

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] + self.num_kernels)

    def get_config(self):
        names = ("num_kernels", "kernel_size", "include_self", "weight_normalization", "use_bias")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
