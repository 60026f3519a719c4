"""Log-likelihoods by sampling: exact on a linear Gaussian model, bounds elsewhere, same for any block size."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from tensorflow_probability import distributions as tfd

from tests.systems import SHAPE, digits
from tfmmd import models, networks, priors, seeds
from tfmmd.metrics import (
    BernoulliLikelihood,
    GaussianLikelihood,
    diagonal_normal_log_prob,
    importance_log_likelihood,
    latent_draws,
    sampled_log_likelihood,
    standard_normal_log_prob,
)

RNG = np.random.RandomState(11)
K, D, N, NOISE = 3, 6, 40, 0.5
WEIGHTS, OFFSET = RNG.standard_normal((D, K)), RNG.standard_normal(D)
X = RNG.standard_normal((N, K)) @ WEIGHTS.T + OFFSET + NOISE * RNG.standard_normal((N, D))
EXACT = stats.multivariate_normal(OFFSET, WEIGHTS @ WEIGHTS.T + NOISE**2 * np.eye(D)).logpdf(X).mean()
POSTERIOR = np.linalg.inv(np.eye(K) + WEIGHTS.T @ WEIGHTS / NOISE**2)
LINEAR = GaussianLikelihood(lambda z: tf.matmul(z, WEIGHTS, transpose_b=True) + OFFSET, NOISE)
IMAGES = np.float32(RNG.rand(5, 2, 2, 1) > 0.5)
LOGITS = BernoulliLikelihood(lambda z: tf.reshape(tf.matmul(z, np.float32(WEIGHTS[:4].T)), [-1, 2, 2, 1]))


def posterior_mean(x):
    return (np.asarray(x) - OFFSET) @ (POSTERIOR @ WEIGHTS.T / NOISE**2).T


def exact_encoder(x):
    return tfd.MultivariateNormalTriL(posterior_mean(x), np.linalg.cholesky(POSTERIOR))


def wide_encoder(x):
    return posterior_mean(x), np.broadcast_to(np.log(np.diag(POSTERIOR)) + 0.5, (N, K))


def normal_draws(number, block_index):
    return seeds.normal([number, K], seeds.pair(0, block_index, "test"), tf.float64)


def importance(num_draws, encoder=wide_encoder, **settings):
    return importance_log_likelihood(
        X, encoder, standard_normal_log_prob, LINEAR, num_draws=num_draws, **settings
    )


def test_one_draw_of_the_exact_posterior_gives_the_exact_likelihood():
    np.testing.assert_allclose(importance(1, exact_encoder).mean, EXACT, rtol=1e-10)


def test_float32_is_exact_to_five_digits():
    def encoder(x):
        return tfd.MultivariateNormalTriL(
            np.float32(posterior_mean(x)), np.float32(np.linalg.cholesky(POSTERIOR))
        )

    decode = GaussianLikelihood(
        lambda z: tf.matmul(z, np.float32(WEIGHTS), transpose_b=True) + np.float32(OFFSET), NOISE
    )
    estimate = importance_log_likelihood(
        np.float32(X), encoder, standard_normal_log_prob, decode, num_draws=1
    )
    np.testing.assert_allclose(estimate.mean, EXACT, rtol=1e-5)


def test_the_bound_rises_with_the_number_of_draws():
    means = [np.mean([importance(s, seed=seed).mean for seed in range(5)]) for s in (1, 10, 100)]
    assert means[0] < means[1] < means[2] < EXACT + 0.05


def test_many_draws_approach_the_exact_likelihood():
    np.testing.assert_allclose(importance(400).mean, EXACT, atol=0.03)


@pytest.mark.parametrize("block_size", [1, 7, 64, 10_000])
def test_the_importance_draws_do_not_depend_on_the_block_size(block_size):
    np.testing.assert_allclose(importance(6, block_size=block_size).mean, importance(6).mean, rtol=1e-10)


def test_prior_samples_approach_the_exact_likelihood():
    estimate = sampled_log_likelihood(X, LINEAR, normal_draws, num_samples=200_000, block_size=20_000)
    np.testing.assert_allclose(estimate.mean, EXACT, atol=0.1)
    assert estimate.converged


def test_prior_samples_are_averaged_as_numpy_does():
    estimate = sampled_log_likelihood(X, LINEAR, normal_draws, num_samples=21, block_size=4)
    sizes = [4, 4, 2, 4, 4, 3]  # ten latents, then eleven: an edge at the half
    z = np.concatenate([normal_draws(size, i) for i, size in enumerate(sizes)])
    table = np.array([[stats.norm(z_s @ WEIGHTS.T + OFFSET, NOISE).logpdf(x).sum() for z_s in z] for x in X])
    values = special.logsumexp(table, axis=1) - np.log(21)
    np.testing.assert_allclose(estimate.mean, values.mean(), rtol=1e-10)
    np.testing.assert_allclose(estimate.standard_error, values.std(ddof=1) / np.sqrt(N), rtol=1e-10)
    half = special.logsumexp(table[:, :10], axis=1) - np.log(10)
    np.testing.assert_allclose(estimate.half_mean, half.mean(), rtol=1e-10)


def test_large_tables_are_summed_as_small_ones():
    x = np.float32(RNG.rand(600, D))
    decode = GaussianLikelihood(lambda z: tf.matmul(z, np.float32(WEIGHTS), transpose_b=True), NOISE)
    z = tf.cast(normal_draws(500, 0), tf.float32)
    large = sampled_log_likelihood(
        x, decode, lambda n, i: z[i * n : (i + 1) * n], num_samples=500, block_size=500
    )
    small = sampled_log_likelihood(
        x, decode, lambda n, i: z[i * n : (i + 1) * n], num_samples=500, block_size=50
    )
    np.testing.assert_allclose(large.mean, small.mean, rtol=1e-5)


@pytest.mark.parametrize("likelihood, x", [(LOGITS, IMAGES), (LINEAR, X[:5])], ids=["bernoulli", "gaussian"])
def test_the_table_of_all_pairs_holds_the_rows_of_pairs(likelihood, x):
    z = tf.cast(normal_draws(5, 0), x.dtype)
    table = likelihood.table(tf.constant(x), z)
    np.testing.assert_allclose(np.diag(table), likelihood.pairs(tf.constant(x), z), rtol=1e-5)


def test_bernoulli_pixels_have_their_textbook_likelihood():
    z = np.float32(RNG.standard_normal((5, K)))
    p = special.expit(z @ WEIGHTS[:4].T)
    flat = IMAGES.reshape(5, 4)
    expected = (flat * np.log(p) + (1 - flat) * np.log(1 - p)).sum(axis=1)
    np.testing.assert_allclose(LOGITS.pairs(IMAGES, z), expected, rtol=1e-5)


def test_probabilities_and_their_logits_have_one_likelihood():
    z = np.float32(RNG.standard_normal((5, K)))
    of_probabilities = BernoulliLikelihood(lambda z: tf.sigmoid(LOGITS.decode(z)), logits=False)
    for form in ("pairs", "table"):
        expected = getattr(LOGITS, form)(IMAGES, z)
        np.testing.assert_allclose(getattr(of_probabilities, form)(IMAGES, z), expected, rtol=1e-5)


def test_certain_probabilities_have_a_finite_likelihood():
    certain = BernoulliLikelihood(lambda z: tf.round(tf.sigmoid(LOGITS.decode(z))), logits=False)
    assert np.all(np.isfinite(certain.table(IMAGES, np.float32(RNG.standard_normal((5, K))))))


LIKELIHOODS = {
    "bernoulli": lambda decode: BernoulliLikelihood(decode),
    "probabilities": lambda decode: BernoulliLikelihood(lambda z: tf.sigmoid(decode(z)), logits=False),
    "gaussian": lambda decode: GaussianLikelihood(decode, NOISE),
}


@pytest.mark.parametrize("form", ["table", "pairs"])
@pytest.mark.parametrize("outputs", ["float16", "float32", "float64"])
@pytest.mark.parametrize("data", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_data_and_decoder_may_have_different_dtypes(kind, data, outputs, form):
    z = np.float32(RNG.standard_normal((5, K)))
    likelihood = LIKELIHOODS[kind](lambda z: tf.cast(LOGITS.decode(z), outputs))
    values = getattr(likelihood, form)(tf.constant(IMAGES.astype(data)), z)
    assert values.dtype == (tf.float64 if "float64" in (data, outputs) else tf.float32)
    expected = getattr(LIKELIHOODS[kind](LOGITS.decode), form)(IMAGES, z)
    # float16 outputs carry 11 bits
    np.testing.assert_allclose(values, expected, rtol=1e-2 if outputs == "float16" else 1e-5)


def test_certain_float16_probabilities_have_a_finite_likelihood():
    certain = BernoulliLikelihood(lambda z: tf.ones([len(z), 4], tf.float16), logits=False)
    assert np.all(np.isfinite(certain.table(IMAGES, np.zeros([5, K], np.float32))))


def test_float64_data_are_scored_with_a_float32_decoder():
    estimates = [
        sampled_log_likelihood(x, LOGITS, latent_draws(priors.Normal(K)), num_samples=10).mean
        for x in (IMAGES, np.float64(IMAGES))
    ]
    np.testing.assert_allclose(*estimates, rtol=1e-5)


@pytest.mark.parametrize("x", [np.uint8(255 * IMAGES), 2 * IMAGES - 1], ids=["bytes", "tanh"])
@pytest.mark.parametrize("form", ["table", "pairs"])
def test_bernoulli_data_outside_of_the_unit_interval_are_refused(form, x):
    with pytest.raises(ValueError, match=r"`x` in \[0, 1\].*values from.*value_range"):
        getattr(LOGITS, form)(x, np.zeros([5, K], np.float32))


@pytest.mark.parametrize("logits", [False, True])
def test_the_likelihood_of_a_vae_is_that_of_its_own_bound(logits):
    vae, x = binary_vae(logits), np.round(digits(20))
    likelihood = BernoulliLikelihood(vae.decoder, logits=vae.logits)
    z = tf.cast(normal_draws(20, 0), tf.float32)
    expected = vae.likelihood_distribution(z).log_prob(x)
    np.testing.assert_allclose(likelihood.pairs(x, z), expected, rtol=1e-4)
    estimate = importance_log_likelihood(
        x, vae.posterior_distribution, standard_normal_log_prob, likelihood, num_draws=5
    )
    # two sets of draws: spread over seeds 0.6 nats; a wrong `logits` is off by 8 or more
    np.testing.assert_allclose(estimate.mean, np.mean(vae.log_likelihood(x, 5)), atol=2.0)


def binary_vae(logits):
    """An untrained VAE of the package's own networks."""
    keras.utils.set_random_seed(4)
    activation = None if logits else "sigmoid"
    encoder = networks.vae_encoder(SHAPE, K, hidden=(8,))
    decoder = networks.vae_decoder(K, SHAPE, hidden=(8,), output_activation=activation)
    return models.VAE(encoder, decoder, logits=logits)


def test_an_encoder_of_one_joined_tensor_is_refused_with_the_mend():
    with pytest.raises(ValueError, match=r"pair.*\(40, 6\).*`posterior_distribution`"):
        importance(1, lambda x: tf.concat(wide_encoder(x), axis=1))


def test_a_plain_function_serves_as_likelihood():
    plain = sampled_log_likelihood(X, lambda x, z: LINEAR.table(x, z), normal_draws, num_samples=10)
    assert plain == sampled_log_likelihood(X, LINEAR, normal_draws, num_samples=10)


def test_a_prior_of_the_package_gives_the_latents():
    draw = latent_draws(priors.Normal(K), seed=3)
    assert draw(7, 0).shape == (7, K)
    assert not np.array_equal(draw(7, 0), draw(7, 1))
    np.testing.assert_array_equal(draw(7, 0), latent_draws(priors.Normal(K), seed=3)(7, 0))


def test_normal_densities_keep_their_constants():
    z, mean, log_variance = RNG.standard_normal((3, 4, K))
    np.testing.assert_allclose(standard_normal_log_prob(z), stats.norm().logpdf(z).sum(axis=1), rtol=1e-12)
    expected = stats.norm(mean, np.exp(log_variance / 2)).logpdf(z).sum(axis=1)
    np.testing.assert_allclose(diagonal_normal_log_prob(z, mean, log_variance), expected, rtol=1e-12)


def test_an_impossible_latent_counts_for_nothing():
    estimate = sampled_log_likelihood(
        X, lambda x, z: tf.where(z[:, 0] > 0, LINEAR.table(x, z), -np.inf), normal_draws, num_samples=50
    )
    assert np.isfinite(estimate.mean)


def test_the_printed_likelihood_names_the_number_of_draws():
    assert "(21 prior draws)" in str(sampled_log_likelihood(X, LINEAR, normal_draws, num_samples=21))


def test_a_likelihood_of_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"`log_likelihood` must have shape \(40, 10\).*shape \(40,\)"):
        sampled_log_likelihood(X, lambda x, z: tf.zeros([N]), normal_draws, num_samples=20)
    with pytest.raises(ValueError, match="`log_prior` must have shape"):
        importance_log_likelihood(X, wide_encoder, lambda z: z, LINEAR, num_draws=2)
