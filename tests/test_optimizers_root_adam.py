"""RootAdam against its twin."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_improved_gan as twin
from tfmmd.optimizers import RootAdam

GRADIENTS = np.random.default_rng(2).normal(size=(5, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-7])
def test_steps_are_the_twins_for_large_and_small_gradients(size):
    variable, optimizer = keras.Variable([1.0, 2.0, 3.0]), RootAdam(0.1, 0.5, 0.999, 1e-8)
    for gradient in GRADIENTS * size:
        optimizer.apply([gradient], [variable])
    expected = twin.root_adam([1.0, 2.0, 3.0], GRADIENTS * size, 0.1, 0.5, 0.999, 1e-8)
    np.testing.assert_allclose(variable, expected, rtol=1e-5)


def test_many_steps_are_the_twins():
    gradients = np.random.default_rng(3).normal(size=(3000, 3)) * [1e-2, 1e-4, 0.0]
    variable, optimizer = keras.Variable([1.0, 2.0, 3.0]), RootAdam(1e-3, 0.5, 0.999, 1e-8)
    step = tf.function(lambda gradient: optimizer.apply([gradient], [variable]))
    for gradient in gradients.astype(np.float32):
        step(gradient)
    expected = twin.root_adam([1.0, 2.0, 3.0], gradients, 1e-3, 0.5, 0.999, 1e-8)
    np.testing.assert_allclose(variable, expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_steps_in_other_types_are_the_twins(dtype):
    variable, optimizer = keras.Variable([1.0, 2.0, 3.0], dtype=dtype), RootAdam(0.1, 0.5, 0.999, 1e-4)
    for gradient in GRADIENTS.astype(dtype):
        optimizer.apply([gradient], [variable])
    expected = twin.root_adam([1.0, 2.0, 3.0], GRADIENTS, 0.1, 0.5, 0.999, 1e-4)
    np.testing.assert_allclose(variable, expected, rtol={"float16": 1e-2, "float64": 1e-6}[dtype])


def test_sparse_gradients_are_taken():
    rows = tf.IndexedSlices(tf.constant([[0.5, 1.0]]), tf.constant([1]), tf.constant([3, 2]))
    sparse, dense = (keras.Variable(np.ones([3, 2])) for _ in range(2))
    RootAdam(0.1).apply([rows], [sparse])
    RootAdam(0.1).apply([tf.convert_to_tensor(rows)], [dense])
    np.testing.assert_array_equal(sparse, dense)


def test_gradients_far_below_the_root_of_epsilon_hardly_move():
    variable = keras.Variable([1.0])
    optimizer = RootAdam(0.1)
    optimizer.apply([np.float32([1e-7])], [variable])
    np.testing.assert_allclose(variable, 1.0 - 0.1 * 1e-7 / 1e-4, rtol=1e-6)


def test_config_round_trip():
    optimizer = RootAdam(0.003, 0.5, 0.99, 1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert again.get_config() == optimizer.get_config()
