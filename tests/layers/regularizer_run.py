"""Run by a test in a process of its own: an MMD regulariser under two CPU replicas, against one device."""

import keras
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

from tests import harness  # noqa: E402
from tfmmd import kernels, layers  # noqa: E402


def trained_weights():
    """Weights after two epochs of a model whose loss is the MMD of its codes and a little more."""
    keras.utils.set_random_seed(0)
    left, right, encoder = keras.Input([3]), keras.Input([3]), keras.layers.Dense(2)
    codes = layers.MMDRegularizer(kernels.Gaussian((1.0, 2.0)))([encoder(left), encoder(right)])
    model = keras.Model([left, right], codes)
    model.compile(keras.optimizers.SGD(0.2), loss=["mse", "mse"], loss_weights=[0.1, 0.1])
    x, y = harness.samples(38, 38)
    model.fit([x, y], [x[:, :2], y[:, :2]], batch_size=20, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()


def main():
    expected = trained_weights()
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        replicated = trained_weights()
    for a, b in zip(replicated, expected):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


if __name__ == "__main__":
    main()
