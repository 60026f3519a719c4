"""Minibatch discrimination: values, symmetries, initialisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_improved_gan as twin
from tfmmd import layers

X = tf.random.stateless_normal([7, 3], [5, 1])


def make(x=X, **kwargs):
    layer = layers.MinibatchDiscrimination(4, 2, **kwargs)
    layer.build(x.shape)
    layer.kernel.assign(tf.random.stateless_normal(layer.kernel.shape, [6, 1]))
    return layer


@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("weight_normalization", [False, True])
def test_value_is_the_twins(include_self, weight_normalization):
    layer = make(include_self=include_self, weight_normalization=weight_normalization)
    tensor = layer.kernel.numpy()
    if weight_normalization:
        layer.log_scale.assign(tf.random.stateless_normal(layer.log_scale.shape, [7, 1]))
        tensor = twin.normalized_kernel(tensor, layer.log_scale.numpy())
    expected = twin.closeness(X.numpy(), tensor, include_self) - 1.0
    np.testing.assert_allclose(layer(X)[:, 3:], expected, rtol=1e-5, atol=1e-5)


def test_the_features_pass_through():
    np.testing.assert_array_equal(make()(X)[:, :3], X)


def test_the_self_term_is_one():
    plain, paper = make(), make(include_self=True)
    np.testing.assert_allclose(paper(X)[:, 3:] - plain(X)[:, 3:], 1.0, atol=1e-5)


def test_equal_rows_are_close_to_all_others():
    layer = make(use_bias=False)
    np.testing.assert_allclose(layer(tf.ones([7, 3]))[:, 3:], 6.0, rtol=1e-6)


def test_one_row_is_close_to_nobody():
    np.testing.assert_array_equal(make(use_bias=False)(X[:1])[:, 3:], np.zeros((1, 4)))


def test_order_of_the_rows_follows_through():
    layer, order = make(), [3, 1, 6, 0, 2, 5, 4]
    np.testing.assert_allclose(layer(tf.gather(X, order)), tf.gather(layer(X), order), rtol=1e-5)


def test_gradient_matches_finite_differences():
    layer = make()
    exact, numeric = tf.test.compute_gradient(
        lambda x: tf.reduce_sum(tf.square(layer(tf.cast(x, tf.float32)))), [X], delta=1e-3
    )
    np.testing.assert_allclose(exact[0], numeric[0], rtol=0.02, atol=0.02)  # float32 inside of the layer


@pytest.mark.parametrize("include_self", [False, True])
def test_initialization_brings_the_nearest_neighbour_to_distance_two(include_self):
    network = keras.Sequential([keras.Input((3,)), make(include_self=include_self)])
    layers.initialize(network, X)
    layer = network.layers[0]
    tensor = twin.normalized_kernel(layer.kernel.numpy(), layer.log_scale.numpy())
    projection = np.einsum("ba,akc->bkc", X.numpy(), tensor)
    distances = np.abs(projection[:, None] - projection[None]).sum(-1) + 1e6 * np.eye(7)[:, :, None]
    np.testing.assert_allclose(distances.min(1).mean(0), 2.0, rtol=1e-4)


def test_initialization_centres_the_new_features():
    network = keras.Sequential([keras.Input((3,)), make()])
    layers.initialize(network, X)
    np.testing.assert_allclose(network(X).numpy()[:, 3:].mean(0), 0.0, atol=1e-5)


def test_images_are_refused_with_the_mend():
    with pytest.raises(ValueError, match="Flatten"):
        layers.MinibatchDiscrimination()(tf.zeros([2, 8, 8, 1]))
