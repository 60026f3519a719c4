"""Noise layers: the law, the count that is saved, training alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd import layers

ZEROS = tf.zeros([400, 50])


def test_gaussian_noise_has_its_deviation_and_normal_kurtosis():
    noise = layers.GaussianNoise(0.3, seed=1)(ZEROS, training=True).numpy().ravel() / 0.3
    np.testing.assert_allclose(noise.mean(), 0.0, atol=0.03)  # 4 standard errors of 20 000 draws
    np.testing.assert_allclose(noise.std(), 1.0, atol=0.02)
    np.testing.assert_allclose(np.mean(noise**4), 3.0, atol=0.3)


def test_gaussian_noise_has_uncorrelated_columns_and_rows():
    noise = layers.GaussianNoise(1.0, seed=1)(ZEROS, training=True).numpy()
    assert np.abs(np.corrcoef(noise.T) - np.eye(50)).max() < 0.25  # 5 standard errors of 400 draws
    assert np.abs(np.corrcoef(noise[:50]) - np.eye(50)).max() < 0.75  # of 50 draws


def test_dropout_zeroes_its_share_and_keeps_the_mean():
    out = layers.Dropout(0.3, seed=1)(tf.ones([400, 50]), training=True).numpy()
    np.testing.assert_allclose(np.mean(out == 0.0), 0.3, atol=0.015)
    np.testing.assert_allclose(out[out > 0.0], 1.0 / 0.7, rtol=1e-6)


@pytest.mark.parametrize("layer", [layers.GaussianNoise(0.3), layers.Dropout(0.3)])
def test_noise_is_off_out_of_training(layer):
    np.testing.assert_array_equal(layer(tf.ones([4, 3])), np.ones([4, 3]))


@pytest.mark.parametrize("make", [layers.GaussianNoise, layers.Dropout])
def test_zero_noise_changes_nothing(make):
    np.testing.assert_array_equal(make(0.0, seed=1)(tf.ones([4, 3]), training=True), np.ones([4, 3]))


def test_noise_is_a_function_of_seed_and_count():
    first, again, other = (layers.GaussianNoise(0.3, seed=s) for s in (1, 1, 2))
    draws = [layer(ZEROS, training=True).numpy() for layer in (first, first, again, again, other)]
    np.testing.assert_array_equal(draws[0], draws[2])
    np.testing.assert_array_equal(draws[1], draws[3])
    assert not np.array_equal(draws[0], draws[1]) and not np.array_equal(draws[0], draws[4])


def test_layers_without_a_seed_are_independent():
    a, b = layers.GaussianNoise(0.3), layers.GaussianNoise(0.3)
    assert not np.array_equal(a(ZEROS, training=True), b(ZEROS, training=True))


def test_inference_does_not_advance_the_count():
    layer = layers.GaussianNoise(0.3, seed=1)
    layer(ZEROS), layer(ZEROS, training=True), layer(ZEROS)
    assert int(layer.step.value) == 1


def test_saved_layer_goes_on_with_the_next_draw(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.GaussianNoise(0.3, seed=1)])
    model(tf.zeros([4, 3]), training=True)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    x = tf.zeros([4, 3])
    np.testing.assert_array_equal(again(x, training=True), model(x, training=True))


def test_graph_draws_what_eager_draws():
    eager, graph = layers.GaussianNoise(0.3, seed=1), layers.GaussianNoise(0.3, seed=1)
    graph.build((None, 3))
    traced = tf.function(lambda x: graph(x, training=True))
    for _ in range(2):
        np.testing.assert_allclose(
            traced(tf.zeros([5, 3])), eager(tf.zeros([5, 3]), training=True), atol=1e-6
        )


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_rate_outside_of_zero_to_one_is_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        layers.Dropout(rate)
