"""The moment matching that starts WAE."""

import keras
import numpy as np
import tensorflow as tf

from tests.systems import CODE, decoder, digits, encoder
from tfmmd import models, priors
from tfmmd.models import moment_matching


def wae():
    keras.utils.set_random_seed(0)
    return models.WAEMMD(encoder(), decoder(), priors.Normal(CODE, 2.0))


def test_moments_are_those_of_numpy():
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    mean, covariance = moment_matching.moments(tf.constant(x))
    np.testing.assert_allclose(mean, x.mean(0), atol=1e-6)
    np.testing.assert_allclose(covariance, np.cov(x, rowvar=False), atol=1e-6)


def test_the_cost_of_a_sample_with_itself_is_zero_and_of_a_shift_its_square():
    x = tf.constant(np.random.default_rng(0).normal(size=(20, 3)), tf.float32)
    np.testing.assert_allclose(moment_matching.moment_cost(x, x), 0.0, atol=1e-12)
    np.testing.assert_allclose(moment_matching.moment_cost(x, x + 3.0), 9.0, rtol=1e-5)


def test_matching_gives_codes_the_priors_moments_and_leaves_the_decoder():
    model, x = wae(), digits(512)
    before = model.decoder.get_weights()
    settings = {"batch_size": 256, "tolerance": 0.0, "make_optimizer": lambda: keras.optimizers.Adam(1e-2)}
    loss = models.match_moments(model, x, num_updates=150, **settings)
    codes = np.asarray(model.encode(x))
    np.testing.assert_allclose(np.mean(codes, 0), 0.0, atol=0.6)
    np.testing.assert_allclose(np.std(codes, 0), 2.0, atol=0.6)
    assert loss < 1.0
    for a, b in zip(before, model.decoder.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_matching_stops_at_the_tolerance():
    rounds = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rounds.append(epoch))
    models.match_moments(wae(), digits(64), num_updates=50, batch_size=64, tolerance=1e9, callbacks=[count])
    assert rounds == [0]
