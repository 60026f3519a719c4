"""WAE-MMD and WAE-GAN: the penalty, its kernel, its weights."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_autoencoder as reference
from tests.systems import CODE, decoder, digits, encoder
from tfmmd import discrepancies, kernels, models, networks, priors

PRIORS = [
    (priors.Normal(CODE, 2.0), 2 * CODE * 4.0),
    (priors.Sphere(CODE), 2.0),
    (priors.Uniform(CODE), float(CODE)),
    (priors.Uniform(CODE, 0.0, 4.0), 4.0 * CODE),
]


def wae(**settings):
    return models.WAEMMD(encoder(), decoder(), settings.pop("prior", priors.Normal(CODE)), **settings)


def wae_gan(**settings):
    critic = networks.latent_critic(CODE, hidden=(16,))
    return models.WAEGAN(encoder(), decoder(), critic, priors.Normal(CODE), **settings)


@pytest.mark.parametrize("prior, base", PRIORS, ids=repr)
def test_the_default_kernel_has_seven_scales_around_the_priors_squared_distance(prior, base):
    expected = [base * s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
    np.testing.assert_allclose(models.latent_kernel(prior).scales, expected)


def test_the_penalty_equals_the_loop_of_the_official_code():
    model, x = wae(), tf.constant(digits(7))
    codes = model.encode(x)
    prior = model.draw_latent(7, 4)
    expected = reference.imq_penalty(codes.numpy(), prior.numpy(), base=2.0 * CODE)
    np.testing.assert_allclose(model.train_costs(x, 4, False)["latent_loss"], expected, atol=1e-5)


def test_the_penalty_of_prior_samples_is_zero_on_average():
    prior, kernel = priors.Normal(8), models.latent_kernel(priors.Normal(8))
    values = []
    for i in range(100):
        draws = [prior.draw(100, [i, j]) for j in (1, 2)]
        values.append(float(discrepancies.mmd2(*draws, kernel)))
    assert abs(np.mean(values)) < 4 * 0.0118 / np.sqrt(100)  # deviation measured for n = 100, d = 8
    assert 0.5 < np.std(values) / 0.0118 < 2.0


def test_the_penalty_of_shifted_codes_is_what_was_measured():
    prior, kernel = priors.Normal(8), models.latent_kernel(priors.Normal(8))
    values = [
        float(discrepancies.mmd2(1.0 + prior.draw(100, [i, 1]), prior.draw(100, [i, 2]), kernel))
        for i in range(20)
    ]
    np.testing.assert_allclose(np.mean(values), 0.93, atol=0.05)


def test_without_penalty_wae_mmd_trains_as_a_plain_autoencoder():
    keras.utils.set_random_seed(0)
    model = wae(latent_weight=0.0)
    plain = models.Autoencoder(encoder(), decoder(), cost="squared", reconstruction_weight=0.05)
    plain.encoder.set_weights(model.encoder.get_weights())
    plain.decoder.set_weights(model.decoder.get_weights())
    losses = []
    for each in (model, plain):
        each.compile(optimizer=keras.optimizers.Adam(1e-2))
        losses.append(each.fit(digits(64), batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    np.testing.assert_allclose(model.reconstruct(digits(4)), plain.reconstruct(digits(4)), atol=1e-4)


@pytest.mark.parametrize("make", [wae, wae_gan])
@pytest.mark.parametrize(
    "cost, weight", [("squared", 0.05), ("root", 0.2), ("absolute", 0.02), ("cross_entropy", 1.0)]
)
def test_a_cost_has_the_weight_of_the_official_code(make, cost, weight):
    assert make(cost=cost).reconstruction_weight == weight


@pytest.mark.parametrize("make", [wae, wae_gan])
def test_the_loss_adds_the_weighted_parts(make):
    model = make(latent_weight=7.0)
    step = model.generator_costs if make is wae_gan else model.train_costs
    costs = step(tf.constant(digits(8)), 2, False)
    total = next(iter(costs.values()))
    np.testing.assert_allclose(
        total, 0.05 * costs["reconstruction_loss"] + 7 * costs["latent_loss"], rtol=1e-5
    )


def test_training_brings_the_codes_to_the_prior():
    keras.utils.set_random_seed(0)
    model = wae(latent_weight=100.0)
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    penalty = model.fit(digits(256), batch_size=64, epochs=20, verbose=0).history["latent_loss"]
    assert penalty[-1] < 0.2 * penalty[0]


def test_any_kernel_serves_as_penalty():
    model = wae(kernel=kernels.Energy())
    assert np.isfinite(model.train_costs(tf.constant(digits(8)), 0, True)["loss"])


def test_a_kernel_too_narrow_for_the_prior_warns_with_numbers():
    with pytest.warns(UserWarning, match="pairs flat.*too far"):
        wae(kernel=kernels.Gaussian([1e-3]))


def test_codes_too_far_apart_for_the_kernel_warn_with_numbers_when_training_begins():
    model, x = wae(), digits(32)
    last = model.encoder.layers[-1]
    last.set_weights([1e4 * weights for weights in last.get_weights()])
    with pytest.warns(UserWarning, match="distances of codes of the data.*median"):
        model.check_data(x)


def test_codes_within_reach_of_the_kernel_do_not_warn():
    model = wae()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.check_data(digits(32))


def test_a_prior_without_default_kernel_asks_for_one():
    class Other(priors.Prior):
        pass

    with pytest.raises(ValueError, match="Hand in `kernel`"):
        models.latent_kernel(Other(CODE))


def test_the_prior_density_is_added_to_every_logit_once():
    plain, added = wae_gan(), wae_gan(add_prior_density=True)
    added.critic.set_weights(plain.critic.get_weights())
    codes = tf.random.stateless_normal([5, CODE], [3, 4])
    logits = added.score_codes(codes, training=False)
    assert logits.shape == (5, 1)
    density = -0.5 * np.sum(codes.numpy() ** 2, 1) - 0.5 * CODE * np.log(2 * np.pi)
    np.testing.assert_allclose(logits - plain.score_codes(codes, training=False), density[:, None], atol=1e-5)
