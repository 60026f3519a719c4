"""The base of metrics that need all rows at once."""

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics import arrays
from tfmmd.metrics.rows import Rows


class HeldRowsMetric(keras.metrics.Metric):
    """Keeps rows on the host, by default of a real and a fake sample; a sub-class gives `estimate`.

    `update_state` works eagerly, inside `tf.function` and in the replicas of one process, which fill one
    store; the stores of several processes are joined by `merge_state`. `reset_state` forgets all rows.
    Memory: every row, or `max_rows` a side.

    Args:
        seed: Seed of random subsets.
        max_rows: Most rows to keep a side, a uniform subset of those seen; None keeps all.
    """

    sides: tuple[str, ...] = ("real", "fake")

    def __init__(self, *, seed=0, max_rows=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = checks.int64("seed", seed)
        self.max_rows = max_rows
        self.rows = {side: Rows(max_rows, seed, side) for side in self.sides}

    def update_state(self, real=None, fake=None):
        """Adds a batch of real features `[b, d]`, of fake features `[c, d]`, or both."""
        for side, batch in zip(self.sides, (real, fake)):
            if batch is not None:
                self.append(side, arrays.features(side, batch))

    def append(self, side, batch):
        """Adds a checked batch to one side."""
        if tf.is_symbolic_tensor(batch):
            tf.numpy_function(self.rows[side].append, [batch], [])
        else:
            self.rows[side].append(batch)

    def estimate(self):
        """The result with its uncertainty, a frozen record."""
        raise NotImplementedError

    def result(self):
        return self.host_result(lambda estimate: (estimate.mean,), 1)[0]

    def host_result(self, numbers, count):
        """A float32 `[count]` tensor of `numbers(self.estimate())`, also inside a graph."""

        def compute():
            return np.array(numbers(self.estimate()), np.float32)

        if tf.executing_eagerly():
            return tf.constant(compute())
        return tf.ensure_shape(tf.numpy_function(compute, [], tf.float32), [count])

    def reset_state(self):
        for store in self.rows.values():
            store.clear()

    def merge_state(self, metrics):
        """Adds the rows of other metrics of this kind, say of other workers."""
        for metric in metrics:
            for side in self.sides:
                self.rows[side].merge(metric.rows[side])

    def get_config(self):
        return {**super().get_config(), "seed": self.seed, "max_rows": self.max_rows}
