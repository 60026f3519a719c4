"""Latent laws."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd import priors, seeds

ALL = [
    priors.Uniform(3),
    priors.Uniform(2, 0.0, 4.0),
    priors.Normal(3),
    priors.Normal(2, 5.0),
    priors.Sphere(3),
]
PRIORS = pytest.mark.parametrize("prior", ALL, ids=repr)


@PRIORS
def test_draws_have_the_moments_of_the_distribution(prior):
    drawn = prior.draw(50_000, seeds.pair(1, 0, "latent")).numpy()
    theory = prior.distribution().sample(50_000, seed=[1, 2]).numpy()
    np.testing.assert_allclose(drawn.mean(0), theory.mean(0), atol=0.02 * theory.std() * 5)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(theory.T), atol=0.05 * theory.var())


@PRIORS
def test_rows_have_the_moments_of_the_block_draws(prior):
    rows = prior.rows(tf.range(50_000, dtype=tf.int64)).numpy()
    block = prior.draw(50_000, seeds.pair(1, 0, "latent")).numpy()
    np.testing.assert_allclose(np.cov(rows.T), np.cov(block.T), atol=0.05 * block.var())


@PRIORS
def test_draws_lie_in_the_support(prior):
    log_prob = prior.distribution().log_prob(prior.draw(100, seeds.pair(2, 0, "latent")))
    assert np.all(np.isfinite(log_prob))


@PRIORS
def test_config_round_trip(prior):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(prior))
    assert repr(again) == repr(prior)


@PRIORS
def test_a_row_keeps_its_bits_in_every_batch(prior):
    rows = prior.rows(tf.range(37, dtype=tf.int64)).numpy()
    for size in (1, 2, 5, 8, 36):
        np.testing.assert_array_equal(prior.rows(tf.range(1, 1 + size, dtype=tf.int64)), rows[1 : 1 + size])


def test_points_on_the_sphere_have_length_one_and_a_finite_slope_at_the_origin():
    points = np.float32([[3.0, -4.0], [1e-3, 0.0], [0.0, 0.0]])
    exact, numeric = tf.test.compute_gradient(priors.Sphere(2).constrain, [np.float64(points[:1])])
    np.testing.assert_allclose(exact[0], numeric[0], atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(priors.Sphere(2).constrain(points), axis=1), [1, 1, 0], rtol=1e-6
    )
    exact, _ = tf.test.compute_gradient(priors.Sphere(2).constrain, [points[2:]])
    assert np.all(np.isfinite(exact[0]))


@pytest.mark.parametrize(
    "make", [lambda: priors.Normal(0), lambda: priors.Normal(2, -1), lambda: priors.Uniform(2, 1, 1)]
)
def test_bad_settings_are_refused(make):
    with pytest.raises(ValueError, match="Received"):
        make()
