"""VAE: the bound, its two parts, the served score."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests import reference_autoencoder as reference
from tests.systems import CODE, SHAPE, decoder, digits, encoder
from tfmmd import models, networks, priors

tfd = tfp.distributions


def vae(decoder_=None, **settings):
    return models.VAE(encoder(2 * CODE), decoder_ or decoder(), **settings)


@pytest.mark.parametrize("scale", [1.0, 0.5, 3.0])
def test_the_closed_form_kl_equals_the_kl_of_tfp(scale):
    model = vae(prior=priors.Normal(CODE, scale))
    outputs = tf.random.stateless_normal([6, 2 * CODE], [1, 2])
    expected = tfd.kl_divergence(model.posterior.distribution(outputs), model.prior.distribution())
    np.testing.assert_allclose(model.kl_divergence(outputs), expected, rtol=1e-5)
    mean, log_variance = np.split(outputs.numpy(), 2, axis=1)
    np.testing.assert_allclose(
        model.kl_divergence(outputs), reference.gaussian_kl(mean, log_variance, scale), rtol=1e-5
    )


def test_the_kl_of_the_prior_to_itself_is_zero():
    outputs = tf.concat([tf.zeros([2, CODE]), tf.fill([2, CODE], 2 * np.log(0.5).astype(np.float32))], 1)
    np.testing.assert_allclose(vae(prior=priors.Normal(CODE, 0.5)).kl_divergence(outputs), 0.0, atol=1e-6)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_loss_is_minus_the_log_likelihood_plus_the_kl(likelihood):
    model, x = vae(likelihood=likelihood, scale=0.4), tf.constant(np.round(digits(8)))
    costs = model.train_costs(x, 5, training=True)
    codes, outputs = model.infer(x, 5, training=True)
    bound = model.likelihood_distribution(codes).log_prob(x) - model.kl_divergence(outputs)
    np.testing.assert_allclose(costs["loss"], -np.mean(bound), rtol=1e-4)


def test_the_kl_weight_scales_the_kl_in_the_loss_alone():
    model, x = vae(kl_weight=3.0), tf.constant(digits(8))
    costs = model.train_costs(x, 0, training=True)
    np.testing.assert_allclose(
        costs["loss"], costs["reconstruction_loss"] + 3 * costs["latent_loss"], rtol=1e-6
    )


def test_the_warm_up_raises_the_weight_in_training_alone():
    model = vae(kl_weight=2.0, warmup_steps=10)
    assert [float(model.current_latent_weight(step, True)) for step in (0, 5, 10, 20)] == [0.0, 1.0, 2.0, 2.0]
    assert model.current_latent_weight(0, False) == 2.0


def test_more_draws_tighten_the_bound():
    keras.utils.set_random_seed(1)
    model, x, few = vae(), np.round(digits(32)), []
    for model.seed in range(50):
        few.append(np.mean(model.log_likelihood(x, 1)))
    many = np.mean(model.log_likelihood(x, 2000))
    assert np.mean(few) + 2 * np.std(few) / np.sqrt(50) < many


def test_the_bound_approaches_the_exact_likelihood_of_a_linear_gaussian_model():
    keras.utils.set_random_seed(2)
    linear = networks.mlp(CODE, (), SHAPE)
    model = vae(linear, likelihood="gaussian", scale=1.0)
    x = digits(6)
    w = linear.get_weights()[0].astype(np.float64)
    exact = tfd.MultivariateNormalFullCovariance(np.zeros(64), np.eye(64) + w.T @ w)
    expected = exact.log_prob(x.reshape(6, -1).astype(np.float64) - linear.get_weights()[1])
    np.testing.assert_allclose(model.log_likelihood(x, 20_000), expected, atol=0.3)  # Monte Carlo error


def test_the_served_score_of_a_row_does_not_depend_on_its_batch():
    score, _ = vae().endpoints()["score"]
    x = tf.constant(digits(5))
    np.testing.assert_array_equal(score(x)["score"][3], score(x[3:4])["score"][0])


def test_training_raises_the_bound():
    keras.utils.set_random_seed(0)
    model = vae()
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    losses = model.fit(digits(128), batch_size=32, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("prior", [priors.Uniform(CODE), priors.Sphere(CODE)])
def test_a_prior_without_closed_form_is_refused(prior):
    with pytest.raises(ValueError, match="normal prior"):
        vae(prior=prior)


def test_a_posterior_without_density_is_refused():
    with pytest.raises(ValueError, match="Gaussian posterior"):
        vae(posterior="noisy")


def test_an_unknown_likelihood_names_the_nearest():
    with pytest.raises(ValueError, match="'bernoulli'"):
        vae(likelihood="bernouli")
