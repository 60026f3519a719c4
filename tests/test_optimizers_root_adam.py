"""RootAdam against its twin."""

import keras
import numpy as np
import pytest

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


def test_gradients_far_below_the_root_of_epsilon_hardly_move():
    variable = keras.Variable([1.0])
    optimizer = RootAdam(0.1)
    optimizer.apply([np.float32([1e-7])], [variable])
    np.testing.assert_allclose(variable, 1.0 - 0.1 * 1e-7 / 1e-4, rtol=1e-6)


def test_config_round_trip():
    optimizer = RootAdam(0.003, 0.5, 0.99, 1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert again.get_config() == optimizer.get_config()
