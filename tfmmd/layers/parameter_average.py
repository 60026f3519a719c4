"""Running averages of another network's parameters."""

import math

import keras
import tensorflow as tf

from tfmmd import checks
from tfmmd.registry import register


@register
class ParameterAverage(keras.layers.Layer):
    """A running average of variables, saved with the model that holds it.

    average += weight * (variable - average), weight = (1 - decay) / (1 - decay**t) at update t

    which is the exponential average with its bias corrected at every t; without a decay weight = 1 / t, the
    plain mean over history. The averages are updated inside of a training step, on one replica or many.

    Args:
        decay: In (0, 1); None is the plain mean.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        average = ParameterAverage(decay=0.9999)
        average.follow(layer.trainable_variables)
        average.update(layer.trainable_variables)
        ```

    Reference: [salimans2016]
    """

    def __init__(self, decay=None, **kwargs):
        super().__init__(**kwargs)
        self.decay = None if decay is None else checks.positive_number("decay", decay)
        if self.decay is not None and self.decay >= 1:
            checks.fail("`decay` must be in (0, 1).", f"decay={decay!r}", "Use for example 0.9999.")
        self._followed: tuple[int, ...] = ()

    def follow(self, variables):
        """Makes one average for each of `variables`, built Keras variables, with their present values."""
        self.count = self._slot("count", (), "int64", 0)
        self.averages = [
            self._slot(f"average_{i}", v.shape, v.dtype, v.numpy()) for i, v in enumerate(variables)
        ]
        self._followed = tuple(map(id, variables))
        self.built = True

    def values(self, variables):
        """The averages of `variables`, a list of tensors; of those that are not followed their own values."""
        averages = dict(zip(self._followed, self.averages))
        return [averages.get(id(v), v).value for v in variables]

    def _slot(self, name, shape, dtype, start):
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer=lambda shape, dtype: tf.cast(start, dtype),
            trainable=False,
            aggregation="only_first_replica",
        )

    def update(self, variables):
        """Takes the present values of `variables` into the averages."""
        self._check_followed(variables)
        self.count.assign_add(1)
        weight = self._weight(tf.cast(self.count.value, tf.float32))
        for average, variable in zip(self.averages, variables):
            change = tf.convert_to_tensor(variable.value) - average.value
            average.assign_add(tf.cast(weight, change.dtype) * change)

    def _check_followed(self, variables):
        if tuple(map(id, variables)) != self._followed:
            checks.fail(
                "An average needs the variables that it was made for.",
                f"{len(variables)} trainable variables for {len(self._followed)} averages",
                "Call follow(variables) first. Freeze or thaw layers before, then make a new model and compile it.",
            )

    def _weight(self, count):
        if self.decay is None:
            return 1.0 / count
        return (1.0 - self.decay) / -tf.math.expm1(count * math.log(self.decay))

    def reset(self, variables):
        """Forgets the history: the averages become the present values of `variables`."""
        self.count.assign(0)
        for average, variable in zip(self.averages, variables):
            average.assign(variable.value)

    def get_config(self):
        return {**super().get_config(), "decay": self.decay}
