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


@pytest.mark.parametrize(
    "make", [lambda: priors.Normal(0), lambda: priors.Normal(2, -1), lambda: priors.Uniform(2, 1, 1)]
)
def test_bad_settings_are_refused(make):
    with pytest.raises(ValueError, match="Received"):
        make()
