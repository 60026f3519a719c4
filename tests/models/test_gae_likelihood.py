"""Likelihoods of the generative auto-encoder: closed forms, proposals, effective draws."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_gae
from tfmmd import models, networks, seeds
from tfmmd.models import mixture_likelihood


def linear_gaussian(scale=0.5):
    """A model whose likelihood is a mixture of Gaussians in closed form, its data and exact values."""
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(2, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    keras.utils.set_random_seed(0)
    decode = networks.mlp(2, (), 4)
    decode.layers[-1].set_weights([weight, bias])
    encode = networks.mlp(4, (), 4)
    kernel, _ = encode.layers[-1].get_weights()
    encode.layers[-1].set_weights([0.3 * kernel, np.array([0, 0, 0.5, 0.5])])  # wide: good proposals
    model = models.GAE(encode, decode, likelihood="gaussian", scale=scale)
    x = rng.normal(size=(9, 4)).astype(np.float32)
    model.store_codes(x, warn=False)
    test = rng.normal(size=(6, 4)).astype(np.float32)
    return model, test, _closed_form(model, test, weight, bias, scale)


def _closed_form(model, test, weight, bias, scale):
    values = []
    for x in np.float64(test):
        terms = []
        for mean, width in zip(np.float64(model.code_means), np.float64(model.code_scales)):
            covariance = weight.T @ np.diag(width**2) @ weight + scale**2 * np.eye(4)
            rest = x - mean @ weight - bias
            _, log_det = np.linalg.slogdet(2 * np.pi * covariance)
            terms.append(-0.5 * (rest @ np.linalg.solve(covariance, rest) + log_det))
        values.append(reference_gae.logsumexp(terms) - np.log(len(terms)))
    return np.array(values)


@pytest.mark.parametrize("proposal", mixture_likelihood.PROPOSALS)
def test_importance_sampling_converges_to_the_closed_form(proposal):
    model, x, exact = linear_gaussian()
    np.testing.assert_allclose(model.log_likelihood(x, 20_000, proposal=proposal), exact, atol=0.05)


@pytest.mark.parametrize("proposal", mixture_likelihood.PROPOSALS)
def test_importance_sampling_is_low_on_average(proposal):
    model, x, exact = linear_gaussian()
    weights = mixture_likelihood.log_weights(model, model.law, x, 800, proposal=proposal).numpy()
    groups = weights.reshape(len(x), 4, 200).transpose(0, 2, 1)  # half of each group from either half
    values = np.array([mixture_likelihood.log_mean(tf.constant(rows)) for rows in groups])
    errors = values.std(axis=1) / np.sqrt(200)
    assert np.all(values.mean(axis=1) < exact + 3 * errors)
    assert values.mean() < exact.mean()


def test_prior_sampling_converges_to_the_closed_form():
    model, x, exact = linear_gaussian()
    codes = model.mixture.draw(100_000, seeds.pair(0, 0, "test"))
    fits = model.law.matrix(x, model.decoder(codes))
    np.testing.assert_allclose(tf.reduce_logsumexp(fits, axis=1) - np.log(100_000), exact, atol=0.1)


def test_log_weights_equal_the_loop():
    model, x, _ = linear_gaussian()
    codes, log_density = mixture_likelihood.from_posterior(model, x, 3)
    weights = mixture_likelihood.log_weights(model, model.law, x, 3)
    means, widths = model.code_means.numpy(), model.code_scales.numpy()
    for s in range(3):
        for i in range(len(x)):
            z = codes[i, s].numpy()
            fit = reference_gae.log_gaussian(x[i], model.decoder(z[None])[0].numpy(), 0.5)
            expected = fit + reference_gae.log_mixture(z, means, widths) - float(log_density[i, s])
            np.testing.assert_allclose(weights[i, s], expected, rtol=1e-4)


def test_a_row_of_the_log_likelihood_does_not_depend_on_the_batch():
    model, x, _ = linear_gaussian()
    np.testing.assert_allclose(model.log_likelihood(x)[2:4], model.log_likelihood(x[2:4]), rtol=1e-5)


@pytest.mark.parametrize("block", [1, 4, 9, 1000])
def test_nearest_components_are_those_of_the_whole_table(block, monkeypatch):
    model, x, _ = linear_gaussian()
    fits = model.law.matrix(x, model.decoder(model.code_means.value)).numpy()
    monkeypatch.setattr(mixture_likelihood, "COMPONENTS_PER_BLOCK", block)
    found = mixture_likelihood.nearest_components(model, x, 3)
    np.testing.assert_array_equal(found, np.argsort(-fits, axis=1)[:, :3])


def test_effective_draws_lie_between_one_and_all():
    flat, peaked = np.zeros([1, 10], np.float32), np.array([[0.0] + [-100.0] * 9], np.float32)
    np.testing.assert_allclose(mixture_likelihood.effective_draws(flat), [10.0], rtol=1e-5)
    np.testing.assert_allclose(mixture_likelihood.effective_draws(peaked), [1.0], rtol=1e-5)
