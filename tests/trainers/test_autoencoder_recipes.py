"""Recipes of the auto-encoder family: their networks, rates, pictures and measures."""

import dataclasses

import numpy as np
import pytest

from tests.systems import digits
from tfmmd import callbacks, models
from tfmmd.kernels import Gaussian
from trainers import autoencoders, gmmn_ae, measures_autoencoder, runner, systems
from trainers.phases import Phases
from trainers.recipe import Settings

NAMES = ("vae", "gmmn-ae", "aae", "wae-mmd", "wae-gan")
SMALL = {"hidden": [16], "steps": 2}


@dataclasses.dataclass
class Data:
    """Stands for `RunData`: digits cut or padded to a shape."""

    shape: tuple = (8, 8, 1)
    unit_name: str = "images"
    seed: int = 0

    @property
    def train(self):
        return np.resize(digits(), (64, *self.shape))

    test = validation = train

    @property
    def sample_shape(self):
        return self.shape

    def load(self, split, with_labels):
        return self.train, np.arange(64) % 10

    def unit(self, samples):
        return np.array(samples)


def built(name, dataset="digits", preset="quick", data=None, **overrides):
    recipe = systems.recipe(name)
    settings = recipe.resolve(dataset, preset, {**SMALL, **overrides})
    model = recipe.build(settings, data or Data())
    recipe.compile(model, settings)
    return model, settings


def rates(optimizer, steps):
    return [float(optimizer._learning_rate(step)) for step in steps]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_every_preset_builds_a_compiled_model(name, preset):
    extra = {"network": "wae-small"} if name.startswith("wae") else {}
    assert built(name, preset=preset, **extra)[0].compiled


def test_the_paper_networks_of_wae_are_convolutions_of_22_million_weights():
    model, _ = built("wae-mmd", "mnist", "paper", Data((28, 28, 1)))
    weights = model.encoder.count_params() + model.decoder.count_params()
    np.testing.assert_allclose(weights / 1e6, 22.0, atol=0.05)


def test_the_paper_settings_of_celeb_a_serve_64_pixels_in_colour():
    small = {"encoder_filters": [4] * 4, "decoder_filters": [4] * 4, "critic_hidden": [8]}
    model, _ = built("wae-gan", "celeb_a", "paper", Data((64, 64, 3)), **small)
    assert model.sample_shape == (64, 64, 3) and model.latent_size == 64
    assert model.sample(2, seed=0).numpy().min() < 0  # tanh


def test_the_stepwise_schedule_multiplies_the_rate_at_the_papers_shares_of_the_run():
    _, settings = built("wae-mmd", "mnist", "paper", network="wae-small", steps=100)
    optimizer = autoencoders.make_optimizer(settings)
    np.testing.assert_allclose(
        rates(optimizer, (0, 29, 31, 49, 51, 99)), [1e-3, 1e-3, 5e-4, 5e-4, 1e-4, 1e-4]
    )


def test_the_exponential_schedule_ends_at_a_hundredth():
    settings = systems.recipe("wae-mmd").resolve("celeb_a", "paper", {"steps": 100})
    np.testing.assert_allclose(
        rates(autoencoders.make_optimizer(settings), (0, 50, 100)), [1e-3, 1e-4, 1e-5], rtol=1e-3
    )


def test_a_misspelt_schedule_is_answered_with_all_four_names():
    settings = systems.recipe("wae-mmd").resolve("digits", "quick", {"schedule": "step-wise"})
    with pytest.raises(ValueError, match=r"'constant', 'cosine', 'stepwise', 'exponential'.*Did you mean"):
        autoencoders.make_optimizer(settings)


def test_the_steps_of_aae_have_the_rates_and_momenta_of_the_paper():
    model, _ = built("aae", "mnist", "paper")
    players = (model.generator_optimizer, model.critic_optimizer, model.encoder_optimizer)
    assert [p.momentum for p in players] == [0.9, 0.1, 0.1]
    np.testing.assert_allclose([rates(p, [0])[0] for p in players], [0.01, 0.1, 0.1])


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_the_adversarial_rates_of_aae_may_fall_less_than_that_of_the_reconstruction(schedule):
    finals = {"final_rate": 0.1, "adversarial_final_rate": 0.5}
    model, settings = built("aae", schedule=schedule, **finals)
    players = (model.generator_optimizer, model.critic_optimizer, model.encoder_optimizer)
    falls = [rates(p, [settings.steps])[0] / rates(p, [0])[0] for p in players]
    np.testing.assert_allclose(falls, [0.1, 0.5, 0.5], rtol=1e-5)


def test_codes_of_aae_and_their_noise_have_the_variance_of_the_prior():
    (model, _), x = built("aae", code_noise=0.6, prior_scale=2.0), Data().train
    codes = model.encoder(x, training=True).numpy()
    np.testing.assert_allclose(codes.var(axis=0) + model.posterior.scale**2, 4.0, rtol=1e-3)


@pytest.mark.parametrize("schedule", ["stepwise", "constant"])
def test_an_adversarial_final_rate_needs_a_schedule_that_ends_at_one(schedule):
    with pytest.raises(ValueError, match="`adversarial_final_rate` needs a schedule"):
        built("aae", schedule=schedule, adversarial_final_rate=0.5)


@pytest.mark.parametrize("settings", [{"code_noise": 1.0}, {"code_noise": 0.2, "prior": "uniform"}])
def test_noise_on_codes_that_does_not_fit_the_prior_is_refused(settings):
    with pytest.raises(ValueError, match="`code_noise` needs a normal prior"):
        built("aae", prior_scale=1.0, **settings)


def test_the_kernel_of_gmmn_ae_has_roots_of_the_papers_variances():
    kernel = built("gmmn-ae", "toronto_face_dataset", "paper")[0].kernel
    assert isinstance(kernel, Gaussian)
    np.testing.assert_allclose(np.square(kernel.bandwidths), (1, 2, 5, 10, 20, 40))


@pytest.mark.parametrize("dataset, last", [("mnist", 0.9), ("toronto_face_dataset", 0.0)])
def test_the_momentum_of_fine_tuning_steps_as_published(dataset, last):
    settings = systems.recipe("gmmn-ae").resolve(dataset, "paper")
    momentum = gmmn_ae.optimizer_of(settings, "fine-tuning", 1000).momentum
    np.testing.assert_allclose([float(momentum(step)) for step in (0, 51, 199, 201)], [0.0, 0.5, 0.5, last])


@pytest.mark.parametrize("preset", ["quick", "paper"])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_preparation_of_gmmn_ae_trains_its_autoencoder(preset, noise, tmp_path):
    updates = {"autoencoder_updates": 2, "fine_tuning_updates": 2}
    model, settings = built("gmmn-ae", preset=preset, autoencoder_hidden=[16], code_noise=noise, **updates)
    before = model.autoencoder.encoder.get_weights()
    systems.recipe("gmmn-ae").prepare(model, settings, Data(), Phases(tmp_path, 1))
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.autoencoder.encoder.get_weights()))


@pytest.mark.parametrize("name", NAMES)
def test_a_run_on_images_has_four_pictures_and_a_projector_and_one_on_points_none(name):
    recipe = systems.recipe(name)
    settings = recipe.resolve("digits", "quick")
    titles = [picture.title for picture in recipe.callbacks(settings, Data())]
    assert titles == ["reconstructions", "interpolations", "latent_map", "nearest_neighbours", "projector"]
    assert recipe.callbacks(settings, Data((2,))) == []


def test_the_reconstruction_measure_is_the_mean_squared_error_in_unit_range():
    model, settings = built("vae", value_range=(-1.0, 1.0), likelihood="gaussian")
    data = Data()
    difference = (model.reconstruct(data.test) - data.test).numpy().reshape(64, -1) / 2
    found = measures_autoencoder.reconstruction(model, data, settings)["reconstruction"]
    np.testing.assert_allclose(found["mean"], np.mean(np.sum(difference**2, 1)), rtol=1e-5)


def test_the_latent_measure_is_near_zero_for_codes_of_the_prior():
    model, settings = built("wae-mmd")
    model.infer = lambda x, step, training: (model.prior.draw(len(x), [7, 8]), None)
    found = measures_autoencoder.latent_mmd2(model, Data(), settings)["latent_mmd2"]
    assert abs(found["mean"]) < 4 * found["standard_error"]
    model.infer = lambda x, step, training: (3.0 + model.prior.draw(len(x), [7, 8]), None)
    assert measures_autoencoder.latent_mmd2(model, Data(), settings)["latent_mmd2"]["mean"] > 1.0


def test_every_system_of_the_family_is_an_autoencoder():
    kinds = {name: type(built(name)[0]) for name in NAMES}
    assert all(issubclass(kind, (models.Autoencoder, models.GMMNAutoencoder)) for kind in kinds.values())


def test_a_run_on_data_out_of_the_likelihoods_range_is_refused(tmp_path):
    settings = {"value_range": [-1.0, 1.0], "likelihood": "bernoulli", "steps": 2}
    options = runner.RunOptions("vae", run_dir=tmp_path / "run", overrides=settings)
    with pytest.raises(ValueError, match=r"must lie in \[0.0, 1.0\].*x from -1 to 1"):
        runner.run(options)


@pytest.mark.parametrize("rows", [1, 2, 6, 33, 64])
def test_interpolations_take_the_held_out_images_there_are(rows, monkeypatch):
    monkeypatch.setattr(autoencoders, "held_out", lambda data: (digits(rows), None))
    made = autoencoders.pictures(Settings({"value_range": (0, 1)}), Data())
    found = [p for p in made if isinstance(p, callbacks.Interpolations)]
    assert [(len(p.start), len(p.end)) for p in found] == [(min(8, rows // 2),) * 2] * (rows > 1)


def test_interpolations_without_an_end_are_refused():
    with pytest.raises(ValueError, match="2 and 0 images"):
        callbacks.Interpolations(digits(2), digits(0))
