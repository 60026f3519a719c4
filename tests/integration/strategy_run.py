"""Trains tiny systems on a number of logical CPU devices and writes losses and weights; a process of its own.

`python -m tests.integration.strategy_run OUT.npz NUM_DEVICES NUM_STEPS NAME ...`
"""

import contextlib
import sys

import keras
import numpy as np
import tensorflow as tf

from tests.systems import SYSTEMS, digits


def main(out, num_devices, num_steps, *names):
    """Runs every named system and saves `<name>/loss/<step>/<loss>` and `<name>/weight/<i>`."""
    num_devices, num_steps = int(num_devices), int(num_steps)
    strategy = None
    if num_devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * num_devices
        )
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(num_devices)])
    results = {}
    for name in names:
        results |= {f"{name}/{key}": value for key, value in run(name, strategy, num_steps).items()}
    np.savez(out, **results)


def run(name, strategy, num_steps):
    """Losses of every step and the final weights of one system."""
    system = SYSTEMS[name]
    rows = (digits(64), *system.labels()) if system.labelled else digits(64)
    data = tf.data.Dataset.from_tensor_slices(rows).repeat().batch(system.batch_size, drop_remainder=True)
    with strategy.scope() if strategy else contextlib.nullcontext():
        keras.utils.set_random_seed(0)
        model = system.build()
        system.compile(model)
    history = model.fit(data, epochs=num_steps, steps_per_epoch=1, verbose=0).history
    results = {f"loss/{key}": np.array(values) for key, values in history.items()}
    for i, weight in enumerate(model.weights):
        local = getattr(weight.value, "values", (weight.value,))
        results[f"weight/{i:03d}"] = local[0].numpy()
        for other in local[1:]:
            np.testing.assert_array_equal(other.numpy(), results[f"weight/{i:03d}"], err_msg=weight.path)
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
