"""Frechet inception distance: closed forms, invariances, singular covariances, streaming."""

import warnings

import numpy as np
import pytest

from tests import reference_metrics as reference
from tfmmd.metrics import FrechetInceptionDistance, frechet_inception_distance

RNG = np.random.RandomState(5)
REAL, FAKE = RNG.standard_normal((200, 8)), RNG.standard_normal((150, 8)) * 1.3 + 0.2


def exact_moments(n, d, seed=0):
    """Rows with mean exactly zero and covariance exactly the identity."""
    x = np.random.RandomState(seed).standard_normal((n, d))
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False)).T)


def fid(x, y):
    return frechet_inception_distance(x, y).mean


def quiet_fid(x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fid(x, y)


def test_it_equals_the_textbook_formula():
    np.testing.assert_allclose(fid(REAL, FAKE), reference.fid(REAL, FAKE), rtol=1e-9)


def test_identical_sets_have_distance_zero():
    assert abs(fid(REAL, REAL)) < 1e-6 * np.trace(np.cov(REAL, rowvar=False))


def test_a_shift_gives_its_squared_length():
    x = exact_moments(100, 6)
    shift = np.arange(6.0)
    np.testing.assert_allclose(fid(x, x + shift), shift @ shift, rtol=1e-9)


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_a_scale_gives_d_times_its_squared_change(scale):
    x = exact_moments(100, 6)
    np.testing.assert_allclose(fid(x, scale * x), 6 * (scale - 1) ** 2, rtol=1e-9)


@pytest.mark.parametrize("d", [8, 600])
def test_float32_rows_agree_with_float64_ones(d):
    x, y = np.float32(RNG.standard_normal((2, 900, d)) + np.array([0, 3])[:, None, None])
    np.testing.assert_allclose(fid(x, y), fid(np.float64(x), np.float64(y)), rtol=1e-6)


def test_it_is_symmetric():
    np.testing.assert_allclose(fid(REAL, FAKE), fid(FAKE, REAL), rtol=1e-9)


def test_a_common_rotation_changes_nothing():
    rotation = np.linalg.qr(RNG.standard_normal((8, 8)))[0]
    np.testing.assert_allclose(fid(REAL @ rotation, FAKE @ rotation), fid(REAL, FAKE), rtol=1e-8)


@pytest.mark.parametrize("n, m", [(5, 6), (5, 150), (200, 5), (2, 2)])
def test_fewer_rows_than_features_are_exact_and_warned_about(n, m):
    with pytest.warns(UserWarning, match="Use more than 8 rows"):
        value = fid(REAL[:n], FAKE[:m])
    root1, root2 = (_root(np.cov(x, rowvar=False)) for x in (REAL[:n], FAKE[:m]))
    mean = REAL[:n].mean(axis=0) - FAKE[:m].mean(axis=0)
    trace = sum(np.trace(np.cov(x, rowvar=False)) for x in (REAL[:n], FAKE[:m]))
    exact = mean @ mean + trace - 2 * np.linalg.svd(root1 @ root2, compute_uv=False).sum()
    np.testing.assert_allclose(value, exact, rtol=1e-6)


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def test_constant_features_give_the_squared_distance_of_means():
    np.testing.assert_allclose(fid(np.ones((20, 3)), np.full((20, 3), 3.0)), 12.0, rtol=1e-9)


def test_one_constant_feature_is_harmless():
    x, y = REAL.copy(), FAKE.copy()
    x[:, 0] = y[:, 0] = 1.0
    np.testing.assert_allclose(fid(x, y), fid(x[:, 1:], y[:, 1:]), rtol=1e-6)


def test_float16_features_are_computed_in_more_than_float16():
    half = np.float16(REAL), np.float16(FAKE)
    np.testing.assert_allclose(fid(*half), fid(*(np.float64(x) for x in half)), rtol=1e-6)


def test_it_is_biased_upwards_and_falls_with_the_number_of_rows():
    values = [
        np.mean([quiet_fid(*RNG.standard_normal((2, n, 32))) for _ in range(10)]) for n in (100, 400, 1600)
    ]
    assert values[0] > values[1] > values[2] > 0


def test_resamples_give_a_standard_error():
    assert np.isnan(frechet_inception_distance(REAL, FAKE).standard_error)
    estimate = frechet_inception_distance(REAL, FAKE, num_bootstrap=10)
    assert 0 < estimate.standard_error < estimate.mean
    assert "+-" in str(estimate)


@pytest.mark.parametrize("rows", [150, 5])
def test_the_streaming_distance_equals_the_pure_function(rows):
    metric = FrechetInceptionDistance(8)
    for start in range(0, rows, 7):
        metric.update_state(REAL[start : min(start + 7, rows)], FAKE[start : min(start + 7, rows)])
    np.testing.assert_allclose(metric.result(), quiet_fid(REAL[:rows], FAKE[:rows]), rtol=2e-6)


def test_the_printed_distance_names_rows_and_features():
    text = str(frechet_inception_distance(REAL, FAKE))
    assert text.startswith("FID (200 real, 150 fake rows, 8 features; compare at equal numbers): ")
