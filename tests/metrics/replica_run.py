"""Run by a test in a process of its own: metrics under a strategy of two CPU replicas."""

import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

from tests.metrics.test_metrics_contract import ALL, filled, value  # noqa: E402


def main():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name, (make, data) in ALL.items():
        with strategy.scope():
            metric = make()
        batches = tf.data.Dataset.from_tensor_slices(data).batch(14)
        step = tf.function(lambda *batch, metric=metric: strategy.run(metric.update_state, batch))
        for batch in strategy.experimental_distribute_dataset(batches):
            step(*batch)
        np.testing.assert_allclose(value(metric), value(filled(name)), rtol=1e-6, err_msg=name)


if __name__ == "__main__":
    main()
