"""Prints as JSON the rows that two replicas receive, step by step; a process of its own."""

import json

import keras
import numpy as np
import tensorflow as tf

from tfmmd import data

ROWS = np.arange(23)
STEPS = 12


def streams():
    """Streams of 12 global batches: full ones, ones with a remainder, and a semi-supervised one."""
    yield data.batches(ROWS, 6, seed=2, start_step=2, num_steps=STEPS)
    yield data.batches(ROWS, 6, seed=2, num_steps=STEPS, drop_remainder=False)
    yield data.batches(tf.data.Dataset.from_tensor_slices(ROWS), 6, seed=2, num_steps=STEPS, window=10)
    few = (ROWS[:4], ROWS[:4])
    yield data.semi_supervised_batches(few, ROWS, 6, seed=2, num_steps=STEPS).map(
        lambda xy, u: tf.stack([*xy, u], 1)
    )


class Recorder(keras.Model):
    """Reports every row that its replicas see, as a metric."""

    def __init__(self):
        super().__init__()
        self.total, self.built = keras.metrics.Sum("total"), True

    @property
    def metrics(self):
        return [self.total]

    def train_step(self, batch):
        self.total.update_state(2.0 ** tf.cast(batch, tf.float32))
        return {"total": self.total.result()}


def fit(strategy):
    """Sums of 2**row over the rows of each of 4 epochs of 3 steps."""
    with strategy.scope():
        model = Recorder()
        model.compile(optimizer=None)
    stream = data.batches(ROWS[:20], 6, seed=2)
    return model.fit(stream, steps_per_epoch=3, epochs=4, verbose=0, shuffle=False).history["total"]


def main():
    """Everything as one JSON line."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        distributed = [strategy.experimental_distribute_dataset(stream) for stream in streams()]
    rows = [
        [[part.numpy().tolist() for part in strategy.experimental_local_results(batch)] for batch in stream]
        for stream in distributed
    ]
    print(json.dumps({"rows": rows, "fit": fit(strategy)}))


if __name__ == "__main__":
    main()
