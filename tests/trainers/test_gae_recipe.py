"""The recipe of the generative auto-encoder."""

import numpy as np
import pytest

from tests.trainers.test_autoencoder_recipes import Data, built
from tfmmd import callbacks, models
from trainers import __main__ as command_line
from trainers import evaluate, gae, runner, systems

PRESETS = systems.recipe("gae").presets


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_builds_a_compiled_model_of_the_training_rows(preset):
    model, _ = built("gae", preset=preset)
    assert model.compiled and model.num_components == 64


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["grey", "binary"])
def test_presets_name_their_hidden_layers(kind, layers):
    settings = systems.recipe("gae").resolve("mnist", f"{kind}-{layers}")
    assert len(settings.hidden) == layers
    assert settings.binarize == (None if kind == "grey" else "threshold")


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_rows_of_the_vae_have_the_data_networks_and_steps_of_the_gae(layers):
    rows = [systems.recipe(name).resolve("mnist", f"binary-{layers}") for name in ("gae", "vae")]
    shared = ("binarize", "hidden", "activation", "latent_size", "batch_size", "steps", "learning_rate")
    shared += ("schedule", "final_rate", "importance_rows")
    for name in shared:
        assert rows[0][name] == rows[1][name], name


def test_presets_of_the_plane_draw_the_density_of_the_codes():
    settings = systems.recipe("gae").resolve("mnist", "plane-1")
    assert any(isinstance(c, callbacks.LatentDensity) for c in gae.callbacks(settings, Data()))


def test_codes_are_stored_before_the_pictures_are_drawn():
    _, settings = built("gae", latent_size=2)
    found = gae.callbacks(settings, Data())
    kinds = [models.KeepCodes, callbacks.LatentMap, callbacks.LatentDensity, callbacks.Projector]
    assert [type(callback) for callback in found] == kinds


def test_data_without_classes_are_drawn_in_one_colour():
    class Unlabelled(Data):
        def load(self, split, with_labels):
            raise ValueError("no labels")

    _, labels = gae.labelled(Unlabelled())
    assert labels is None


def test_the_networks_are_those_of_the_vae_recipe():
    shapes = []
    for name in ("gae", "vae"):
        model, _ = built(name, hidden=[16, 8], latent_size=3)
        shapes.append([w.shape for w in model.trainable_variables])
    assert shapes[0] == shapes[1]


def test_the_decoder_starts_at_the_mean_image():
    model, _ = built("gae")
    mean = np.clip(Data().train.mean(axis=0), gae.CLIP, 1 - gae.CLIP)
    np.testing.assert_allclose(model.decode(np.zeros([1, 10], np.float32))[0], mean, atol=1e-5)


def test_a_stored_model_of_the_recipe_samples():
    model, _ = built("gae")
    model.store_codes(Data().train, warn=False)
    assert np.all(np.isfinite(model.sample(2, seed=0)))


def test_a_run_is_scored_by_the_measures_of_its_settings(tmp_path):
    overrides = {"hidden": [16], "steps": 2, "binarize": "threshold", "measures": ["log_likelihood"]}
    overrides |= {"likelihood_draws": 20, "importance_draws": 2, "likelihood_rows": 10}
    folder = runner.run(runner.RunOptions("gae", run_dir=str(tmp_path / "a"), overrides=overrides))
    names = list(evaluate.evaluate(folder.path))
    assert names and all(name.startswith("log_likelihood") for name in names)


def test_scored_samples_are_drawn_without_replacement():
    model, settings = built("gae")
    model.store_codes(Data().train, warn=False)
    rows = np.random.default_rng(0).permutation(64).astype(np.float32)
    model.code_means.assign(np.repeat(rows[:, None], 10, axis=1))
    model.code_scales.assign(np.full([64, 10], 1e-6, np.float32))
    found = evaluate.samples_of(model, Data(), settings, 64)
    expected = model.decode(np.repeat(np.arange(64, dtype=np.float32)[:, None], 10, axis=1)).numpy()
    for values in (found, expected):
        values.sort(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("measures", ["kid", "7", "true", '["no-such"]'])
def test_measures_that_are_no_list_of_names_are_refused_before_training(measures, tmp_path, capsys):
    command = ["run", "gae", "--run-dir", str(tmp_path / "run"), "--set", f"measures={measures}"]
    assert command_line.main(command) == 2 and "easure" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
