"""Likelihood measures of runs."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import systems
from tests.systems import CODE, decoder, digits, encoder
from tfmmd import metrics, models
from tfmmd.metrics import parzen
from trainers import anchors
from trainers import measures_likelihood as measures
from trainers.recipe import Settings
from trainers.run_data import RunData

ROWS = 64
DATA = types.SimpleNamespace(test=np.round(digits(90)[ROWS:]), validation=digits(20), train=digits(ROWS))


def settings(**values):
    defaults = {
        "value_range": (0, 1),
        "binarize": "threshold",
        "likelihood_draws": 640,
        "importance_draws": 8,
    }
    return Settings({**defaults, "likelihood_rows": 20, "many_samples": 150, **values})


def trained(kind):
    keras.utils.set_random_seed(0)
    model = kind(encoder(2 * CODE), decoder())
    model.compile(optimizer="adam")
    model.fit(np.round(digits(ROWS)), verbose=0)
    return model


@pytest.fixture(scope="module")
def gae():
    return trained(models.GAE)


def test_a_gae_gets_prior_posterior_and_defensive_estimates(gae):
    scores = measures.log_likelihood(gae, DATA, settings())
    assert list(scores) == [
        f"log_likelihood, {name} draws" for name in ("640 prior", "8 posterior", "8 defensive")
    ]
    assert all(np.isfinite(score["mean"]) and score["num_test"] == 20 for score in scores.values())


def test_a_vae_gets_prior_and_posterior_estimates_that_agree():
    scores = measures.log_likelihood(trained(models.VAE), DATA, settings(likelihood_draws=5000))
    prior, posterior = (score["mean"] for score in scores.values())
    np.testing.assert_allclose(prior, posterior, atol=0.5)


def test_importance_equals_the_models_own_log_likelihood(gae):
    record = next(iter(measures.importance(gae, DATA.test, "posterior", 8).values()))
    np.testing.assert_allclose(record["mean"], np.mean(gae.log_likelihood(DATA.test, 8)), rtol=1e-5)


def test_grey_images_are_not_measured(gae):
    scores = measures.log_likelihood(gae, DATA, settings(binarize=None))
    assert "binarize" in scores["log_likelihood"]["not measured"]


def test_prior_draws_visit_components_equally_often(gae):
    means = np.arange(ROWS, dtype=np.float32)[:, None] * np.ones(CODE, np.float32)
    keep = gae.code_means.numpy(), gae.code_scales.numpy()
    gae.code_means.assign(means)
    gae.code_scales.assign(np.full_like(means, 1e-6))
    draw = measures.prior_draws(gae, 0)
    codes = np.concatenate([draw(n, i) for i, n in enumerate((50, 50, 28))])
    gae.code_means.assign(keep[0])
    gae.code_scales.assign(keep[1])
    np.testing.assert_array_equal(np.bincount(np.round(codes[:, 0]).astype(int)), np.full(ROWS, 2))


@pytest.mark.parametrize("block", [1, 7, 40])
def test_the_streaming_parzen_score_is_that_of_all_samples(block):
    samples = digits(40)
    grid = (0.2, 0.3, 0.4)
    found = measures.streaming_parzen(
        lambda: (samples[i : i + block] for i in range(0, 40, block)), DATA.test, DATA.validation, grid
    )
    expected = metrics.parzen_log_likelihood(samples, DATA.test, DATA.validation, bandwidths=grid)
    assert found.num_samples == 40 and found.bandwidth == expected.bandwidth
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-5)
    np.testing.assert_allclose(found.standard_error, expected.standard_error, rtol=1e-4)


def test_importance_sampling_takes_the_first_rows(gae):
    scores = measures.log_likelihood(gae, DATA, settings(importance_rows=5))
    assert [score["num_test"] for score in scores.values()] == [20, 5, 5]
    expected = measures.importance(gae, DATA.test[:5], "posterior", 8)
    assert scores["log_likelihood, 8 posterior draws"] == next(iter(expected.values()))


def test_sample_blocks_are_the_same_each_time(gae):
    once, again = (np.concatenate([*measures.sample_blocks(gae, 150)]) for _ in range(2))
    assert once.shape == (150, 8, 8, 1)
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("make", [systems.gmmn, systems.gmmn_ae, systems.vae])
def test_blocks_are_the_samples_of_consecutive_seeds(make, monkeypatch):
    monkeypatch.setattr(measures, "SAMPLES_PER_BLOCK", 20)
    model = make()
    blocks = np.concatenate([*measures.sample_blocks(model, 50)])
    np.testing.assert_allclose(blocks, model.sample(50, seed=measures.SEED).numpy(), rtol=1e-6)


def test_the_parzen_score_of_many_samples_says_its_number_and_memory(gae):
    data = RunData("digits", settings(image_size=None), 0)
    (name, score), *_ = measures.many_samples_parzen(gae, data, settings()).items()
    assert name == "parzen, 150 samples" and score["num_samples"] == 150
    assert 100 < score["peak_memory_mb"] < 20_000 and "equal numbers" in score["note"]


@pytest.fixture(params=["images from -1 to 1", "a table"])
def in_other_units(request, tmp_path):
    """Run data whose units are not those of scores."""
    if request.param == "a table":
        path = tmp_path / "table.npy"
        np.save(path, np.random.default_rng(0).normal(size=(400, 3)) * 100 + 7)
        return RunData(str(path), settings(binarize=None, image_size=None, split="train"), 0)
    ours = settings(value_range=(-1.0, 1.0), binarize=None, image_size=None, split="train")
    return RunData("digits", ours, 0)


@pytest.mark.parametrize("dataset, first", [("mnist", 0.1), ("toronto_face_dataset", 0.05)])
def test_bandwidths_of_images_are_the_published_grids(dataset, first):
    found = anchors.bandwidths(RunData(dataset, None, 0)) or parzen.GRID
    np.testing.assert_allclose(found, first + 0.01 * np.arange(20))


def test_many_samples_are_scored_in_the_units_of_parzen(in_other_units, monkeypatch):
    monkeypatch.setattr(measures, "FINE_GRID", parzen.GRID)
    monkeypatch.setattr(measures, "SAMPLES_PER_BLOCK", 60)
    rows = tf.constant(in_other_units.train[:150])
    model = types.SimpleNamespace(prior=None, sample=lambda n, seed: rows[seed - measures.SEED :][:n])
    (found,) = measures.many_samples_parzen(model, in_other_units, in_other_units.settings).values()
    expected = anchors.score(in_other_units.unit(rows), in_other_units)
    assert found["bandwidth"] == expected.bandwidth
    np.testing.assert_allclose(found["mean"], expected.mean, rtol=1e-5)
