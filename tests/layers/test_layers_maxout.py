"""Maxout: its formula, its gradient, its config."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd.layers import Maxout


def layer_and_input():
    layer = Maxout(3, pieces=4, kernel_initializer=keras.initializers.RandomNormal(seed=1))
    x = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    layer(x)
    layer.bias.assign(np.linspace(-1, 1, 12))
    return layer, x


def test_each_unit_is_the_largest_of_its_pieces():
    layer, x = layer_and_input()
    pieces = x @ layer.kernel.numpy() + layer.bias.numpy()
    expected = [[max(row[4 * u : 4 * u + 4]) for u in range(3)] for row in pieces]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


def test_gradient_goes_to_the_largest_piece_alone():
    layer, x = layer_and_input()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x[:1]))
    slope = tape.gradient(total, layer.bias.value).numpy().reshape(3, 4)
    np.testing.assert_array_equal(np.sort(slope, axis=1), [[0, 0, 0, 1]] * 3)


def test_config_round_trip():
    layer, x = layer_and_input()
    again = Maxout.from_config(layer.get_config())
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), layer(x))


@pytest.mark.parametrize("setting", [{"units": 0}, {"units": 3, "pieces": 0}])
def test_sizes_must_be_positive(setting):
    with pytest.raises(ValueError, match="whole number"):
        Maxout(**setting)
