"""The auto-encoder engine: costs, posteriors, codes, reconstructions, checks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_autoencoder as reference
from tests.harness import assert_same_rows
from tests.systems import CODE, SHAPE, decoder, digits, encoder
from tfmmd import models, networks, priors
from tfmmd.models import costs, data_checks, posteriors

COSTS = (*costs.COSTS, "gaussian")
POSTERIORS = tuple(posteriors.POSTERIORS)


def cost_function(name):
    return costs.GaussianCost(0.5) if name == "gaussian" else costs.function(name)


def pairs(rows=5):
    rng = np.random.default_rng(1)
    return rng.random((rows, *SHAPE), np.float32), rng.uniform(0.05, 0.95, (rows, *SHAPE)).astype(np.float32)


def autoencoder(**settings):
    outputs = posteriors.resolve(settings.get("posterior", "deterministic")).outputs_per_code * CODE
    return models.Autoencoder(encoder(outputs), decoder(), **settings)


def noise(shape, role):
    return tf.ones([4, *shape])


@pytest.mark.parametrize(
    "name, loop",
    [
        ("squared", lambda x, y: np.sum((x - y) ** 2)),
        ("absolute", lambda x, y: np.sum(np.abs(x - y))),
        ("root", lambda x, y: np.sqrt(np.sum((x - y) ** 2))),
        ("gaussian", lambda x, y: np.sum((x - y) ** 2) / 0.5 + 32 * np.log(2 * np.pi * 0.25)),
    ],
)
def test_a_cost_is_its_formula_for_each_row(name, loop):
    x, y = pairs()
    expected = [loop(a.astype(np.float64), b) for a, b in zip(x, y)]
    np.testing.assert_allclose(cost_function(name)(x, y), expected, rtol=1e-5)


def test_cross_entropy_is_its_formula_from_probabilities_and_from_logits():
    x, y = pairs()
    expected = reference.cross_entropy(x, y)
    np.testing.assert_allclose(costs.cross_entropy(x, y), expected, rtol=1e-5)
    np.testing.assert_allclose(
        costs.cross_entropy_of_logits(x, np.log(y) - np.log1p(-y)), expected, rtol=1e-5
    )


@pytest.mark.parametrize("name", COSTS)
def test_a_cost_has_a_finite_gradient_where_data_and_reconstruction_are_equal(name):
    x = tf.constant(np.round(pairs()[0]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(cost_function(name)(tf.stop_gradient(x), x))
    assert np.all(np.isfinite(tape.gradient(value, x)))


@pytest.mark.parametrize("name", COSTS)
def test_a_cost_is_smallest_at_the_data(name):
    x, y = np.round(pairs()[0]), pairs()[1]
    assert np.all(cost_function(name)(x, x).numpy() < cost_function(name)(x, y).numpy())


def test_a_user_function_serves_as_cost():
    def twice_squared(x, y):
        return 2.0 * costs.squared(x, y)

    x, y = pairs()
    model = autoencoder(cost=twice_squared)
    np.testing.assert_allclose(
        model.reconstruction_cost(x, y), 2 * autoencoder(cost="squared").reconstruction_cost(x, y)
    )


def test_an_unknown_cost_names_the_nearest():
    with pytest.raises(ValueError, match="'squared'"):
        autoencoder(cost="sqared")


def test_logits_and_probabilities_give_the_same_cost_and_reconstruction():
    probabilities = autoencoder()
    bare = networks.vae_decoder(CODE, SHAPE, hidden=(16,), output_activation=None)
    bare.set_weights(probabilities.decoder.get_weights())
    logits = models.Autoencoder(probabilities.encoder, bare, logits=True)
    x = digits(8)
    np.testing.assert_allclose(logits.reconstruct(x), probabilities.reconstruct(x), atol=1e-6)
    costs_ = [m.train_costs(tf.constant(x), 0, False)["loss"] for m in (logits, probabilities)]
    np.testing.assert_allclose(*costs_, rtol=1e-5)


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_encode_is_the_posterior_mean_and_repeats(posterior):
    model = autoencoder(posterior=posterior)
    codes = model.encode(digits(6))
    assert codes.shape == (6, CODE)
    np.testing.assert_array_equal(codes, model.encode(digits(6)))
    np.testing.assert_allclose(codes, model.posterior_distribution(digits(6)).mean(), atol=1e-6)


def test_a_gaussian_posterior_moves_its_mean_by_the_standard_deviation():
    outputs = tf.constant([[1.0, 2.0, np.log(4.0), np.log(9.0)]] * 4)
    posterior = posteriors.GaussianPosterior()
    np.testing.assert_allclose(posterior.draw(outputs, noise), [[3.0, 5.0]] * 4, rtol=1e-6)
    np.testing.assert_allclose(posterior.distribution(outputs).stddev(), [[2.0, 3.0]] * 4, rtol=1e-6)


def test_a_gaussian_posterior_clips_the_log_variance():
    posterior = posteriors.GaussianPosterior(-2.0, 2.0)
    np.testing.assert_array_equal(posterior.moments(tf.constant([[0.0, 0.0, -9.0, 9.0]]))[1], [[-2.0, 2.0]])


def test_a_noisy_encoder_sees_noise_in_training_alone():
    model = autoencoder(posterior=posteriors.NoisyPosterior(0.5))
    x = tf.constant(digits(4))
    clean = model.infer(x, 0, training=False)[0]
    np.testing.assert_allclose(clean, model.encode(x), atol=1e-6)
    assert np.max(np.abs(model.infer(x, 0, training=True)[0] - clean)) > 1e-3


def test_constant_variance_moves_the_mean_by_the_scale():
    posterior = posteriors.ConstantVariancePosterior(0.5)
    outputs = tf.constant([[1.0, 2.0]] * 4)
    np.testing.assert_allclose(posterior.draw(outputs, noise), [[1.5, 2.5]] * 4, rtol=1e-6)
    np.testing.assert_allclose(posterior.distribution(outputs).stddev(), [[0.5, 0.5]] * 4, rtol=1e-6)


@pytest.mark.parametrize("posterior", ["noisy", "constant_variance", "gaussian"])
def test_training_noise_is_a_function_of_seed_and_step(posterior):
    model, x = autoencoder(posterior=posterior), tf.constant(digits(4))
    codes = [model.infer(x, step, training=True)[0].numpy() for step in (3, 3, 4)]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_an_encoder_with_two_outputs_is_one_with_their_concatenation():
    inputs = keras.Input(SHAPE)
    hidden = keras.layers.Dense(16)(keras.layers.Flatten()(inputs))
    two = [keras.layers.Dense(CODE)(hidden) for _ in range(2)]
    net = decoder()
    split = models.VAE(keras.Model(inputs, two), net)
    joined = models.VAE(keras.Model(inputs, keras.layers.Concatenate()(two)), net)
    np.testing.assert_array_equal(split.encoder_outputs(digits(4)), joined.encoder_outputs(digits(4)))


def test_codes_lie_in_the_support_of_the_prior():
    x = digits(16)
    uniform = autoencoder(prior=priors.Uniform(CODE, 0.0, 2.0)).encode(100 * x)
    assert np.all((uniform >= 0.0) & (uniform <= 2.0))
    sphere = autoencoder(prior=priors.Sphere(CODE)).encode(x)
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("prior", [priors.Normal(CODE), priors.Sphere(CODE)])
def test_interpolation_starts_and_ends_at_the_reconstructions(prior):
    model, x = autoencoder(prior=prior), digits(6)
    path = model.interpolate(x[:3], x[3:], num_steps=5)
    assert path.shape == (3, 5, *SHAPE)
    np.testing.assert_allclose(path[:, 0], model.reconstruct(x[:3]), atol=1e-5)
    np.testing.assert_allclose(path[:, -1], model.reconstruct(x[3:]), atol=1e-5)


@pytest.mark.parametrize("prior", [priors.Normal(CODE), priors.Sphere(CODE)])
def test_a_blend_is_the_point_of_the_interpolation_at_its_weight(prior):
    model, x = autoencoder(prior=prior), digits(6)
    path = model.interpolate(x[:3], x[3:], num_steps=5)
    for place, weight in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        np.testing.assert_allclose(
            model.blend(x[:3], x[3:], np.full(3, weight, np.float32)), path[:, place], atol=1e-5
        )


def test_the_interpolate_endpoint_gives_every_pair_its_own_weight():
    model, x = autoencoder(), digits(6)
    function, specs = model.endpoints()["interpolate"]
    assert [spec.name for spec in specs] == ["start", "end", "weight"]
    weights = tf.constant([0.0, 0.3, 1.0])
    together = function(tf.constant(x[:3]), tf.constant(x[3:]), weights)["samples"]
    for row in range(3):
        alone = function(x[row : row + 1], x[3 + row : 4 + row], weights[row : row + 1])["samples"]
        assert_same_rows(alone[0], together[row])
    np.testing.assert_allclose(together[0], model.reconstruct(x[:1])[0], atol=1e-5)
    np.testing.assert_allclose(together[2], model.reconstruct(x[5:])[0], atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_evaluate_does_not_depend_on_the_batch_size(batch_size):
    model = autoencoder()
    model.compile()
    whole, parts = (model.evaluate(digits(33), batch_size=size, verbose=0) for size in (33, batch_size))
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def test_every_batch_of_evaluate_draws_noise_of_its_own():
    model = autoencoder(posterior="gaussian")
    model.compile()
    once, twice = digits(16), np.concatenate([digits(16)] * 2)
    seen = [model.evaluate(rows, batch_size=16, verbose=0) for rows in (once, twice, twice)]
    assert seen[0] != seen[1] == seen[2]


def test_training_lowers_the_reconstruction_cost():
    keras.utils.set_random_seed(0)
    model = autoencoder()
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    losses = model.fit(digits(128), batch_size=32, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.75 * losses[0]


def test_networks_for_different_data_are_refused():
    with pytest.raises(ValueError, match="give back what `encoder` takes"):
        models.Autoencoder(networks.mlp((8, 9, 1), (4,), CODE), decoder())


def test_a_code_size_that_differs_from_the_prior_is_refused():
    with pytest.raises(ValueError, match="prior's size"):
        autoencoder(prior=priors.Normal(CODE + 1))


def test_an_encoder_without_log_variances_is_refused_by_a_gaussian_posterior():
    with pytest.raises(ValueError, match=rf"2 \* {CODE} outputs"):
        models.Autoencoder(encoder(CODE), decoder(), posterior="gaussian")


@pytest.mark.parametrize("cost", ["cross_entropy", "squared"])
def test_data_out_of_the_decoders_range_are_refused(cost):
    model = autoencoder(cost=cost)
    model.compile()
    with pytest.raises(ValueError, match=r"from 0 to 255"):
        model.fit(255 * digits(32), verbose=0)


class Rescaled(keras.Model):
    """A decoder in [-1, 1] that is written as a class."""

    def __init__(self):
        super().__init__()
        self.network = decoder()

    def call(self, codes):
        return 2.0 * self.network(codes) - 1.0


def followed_by(*steps):
    """A decoder with a last sigmoid, and what comes after it."""
    return keras.Sequential([*decoder().layers, *steps])


BEYOND = {
    "Rescaling": lambda: followed_by(keras.layers.Rescaling(2.0, -1.0)),
    "Lambda": lambda: followed_by(keras.layers.Lambda(lambda x: 2.0 * x - 1.0)),
    "arithmetic": lambda: keras.Model((net := decoder()).inputs, 2.0 * net.output - 1.0),
    "class": lambda: keras.Sequential([keras.Input([CODE]), Rescaled()]),
}


@pytest.mark.parametrize("end", BEYOND)
def test_a_decoder_that_goes_on_past_its_sigmoid_takes_other_data(end):
    model = models.Autoencoder(encoder(), BEYOND[end](), cost="squared")
    model.compile()
    assert np.isfinite(model.fit(2 * digits(32) - 1, verbose=0).history["loss"][0])


def test_the_range_of_a_sigmoid_is_known_through_layers_that_keep_values():
    kept = keras.layers.Dropout(0.5), keras.layers.Cropping2D(1), keras.layers.Permute((2, 1, 3))
    nested = keras.Sequential([keras.Input([CODE]), followed_by(*kept), keras.layers.Flatten()])
    assert data_checks.interval(nested) == (0.0, 1.0)


def test_a_linear_decoder_takes_any_range():
    linear = networks.vae_decoder(CODE, SHAPE, hidden=(16,), output_activation=None)
    model = models.Autoencoder(encoder(), linear, cost="squared")
    model.compile()
    assert np.isfinite(model.fit(255 * digits(32), verbose=0).history["loss"][0])


def test_settings_survive_a_config_round_trip():
    model = autoencoder(
        cost=costs.GaussianCost(0.3), posterior=posteriors.NoisyPosterior(0.2), prior=priors.Sphere(CODE)
    )
    again = models.Autoencoder.from_config(model.get_config())
    assert again.cost.scale == 0.3 and again.posterior.scale == 0.2 and again.prior.size == CODE
