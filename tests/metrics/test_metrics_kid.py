"""Kernel inception distance: values, subsets, standard errors, order of rows."""

import numpy as np
import pytest
from scipy import stats

from tests import reference_metrics as reference
from tfmmd.metrics import KernelInceptionDistance, kernel_inception_distance, kernel_sums

RNG = np.random.RandomState(3)
REAL, FAKE = RNG.standard_normal((120, 6)), RNG.standard_normal((90, 6)) + 0.3


def gaussians(seed, n, m, d=16, shift=0.0):
    rng = np.random.RandomState(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((m, d)) + shift


@pytest.mark.parametrize("n, m", [(2, 2), (5, 5), (7, 4)])
def test_all_pairs_equal_a_double_loop(n, m):
    value = kernel_inception_distance(REAL[:n], FAKE[:m], estimator="full").mean
    np.testing.assert_allclose(value, reference.kid(REAL[:n], FAKE[:m]), rtol=1e-12)


def test_tiles_do_not_change_the_value(monkeypatch):
    whole = kernel_inception_distance(REAL, FAKE, estimator="full")
    monkeypatch.setattr(kernel_sums, "TILE_ROWS", 7)
    tiled = kernel_inception_distance(REAL, FAKE, estimator="full")
    np.testing.assert_allclose(tiled.mean, whole.mean, rtol=1e-10)
    np.testing.assert_allclose(tiled.standard_error, whole.standard_error, rtol=1e-10)


def test_float32_features_agree_with_float64():
    real, fake = gaussians(0, 900, 800, d=256, shift=0.1)
    exact = kernel_inception_distance(real, fake, estimator="full").mean
    value = kernel_inception_distance(np.float32(real), np.float32(fake), estimator="full").mean
    np.testing.assert_allclose(value, exact, rtol=2e-5)


def test_subsets_of_the_whole_sample_equal_all_pairs():
    full = kernel_inception_distance(REAL[:90], FAKE, estimator="full").mean
    subsets = kernel_inception_distance(REAL[:90], FAKE, num_subsets=3, subset_size=90)
    np.testing.assert_allclose(subsets.mean, full, rtol=1e-10)
    np.testing.assert_allclose(subsets.standard_deviation, 0, atol=1e-12)


def test_many_subsets_approach_all_pairs():
    full = kernel_inception_distance(REAL[:90], FAKE, estimator="full").mean
    subsets = kernel_inception_distance(REAL[:90], FAKE, num_subsets=100, subset_size=40)
    assert abs(subsets.mean - full) < 4 * subsets.standard_deviation / 10


def test_blocks_are_the_mean_over_disjoint_consecutive_blocks():
    blocks = kernel_inception_distance(REAL[:90], FAKE, estimator="blocks", subset_size=30)
    values = [reference.kid(REAL[i : i + 30], FAKE[i : i + 30]) for i in (0, 30, 60)]
    np.testing.assert_allclose(blocks.mean, np.mean(values), rtol=1e-10)
    np.testing.assert_allclose(blocks.standard_error, np.std(values, ddof=1) / np.sqrt(3), rtol=1e-8)


def test_the_mean_over_repeats_is_the_closed_form_of_gaussians():
    d, shift = 16, 0.4
    truth = reference.gaussian_kid(np.zeros(d), np.full(d, shift))
    values = [
        kernel_inception_distance(*gaussians(s, 60, 50, d, shift), estimator="full").mean for s in range(200)
    ]
    assert abs(np.mean(values) - truth) < 3.5 * np.std(values) / np.sqrt(200)


@pytest.mark.parametrize("n", [20, 100])
def test_equal_distributions_give_zero_at_every_sample_size(n):
    values = [kernel_inception_distance(*gaussians(s, n, n), estimator="full").mean for s in range(100)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 10


def test_the_value_may_be_negative():
    assert any(kernel_inception_distance(*gaussians(s, 20, 20), estimator="full").mean < 0 for s in range(5))


@pytest.mark.parametrize("estimator", ["subsets", "full"])
def test_the_order_of_rows_has_no_influence(estimator):
    shuffled = RNG.permutation(120)
    settings = {"estimator": estimator, "num_subsets": 5, "subset_size": 30, "seed": 4}
    value = kernel_inception_distance(REAL, FAKE, **settings).mean
    again = kernel_inception_distance(REAL[shuffled], FAKE[::-1], **settings).mean
    np.testing.assert_allclose(again, value, rtol=1e-10)


def test_seeds_choose_subsets():
    a, b, c = (
        kernel_inception_distance(REAL, FAKE, num_subsets=2, subset_size=30, seed=seed).mean
        for seed in (1, 1, 2)
    )
    assert a == b != c


def test_the_metric_with_a_reservoir_keeps_a_uniform_subset():
    metric = KernelInceptionDistance(4, 10, max_rows=20)
    values = np.arange(400.0)[:, None]
    for start in range(0, 400, 32):
        metric.update_state(values[start : start + 32], values[start : start + 32])
    kept = metric.rows["real"].array()[:, 0]
    assert len(set(kept)) == 20 and 100 < kept.mean() < 300


def test_the_reservoir_does_not_depend_on_the_batch_size():
    kept = []
    for batch_size in (1, 7, 64):
        metric = KernelInceptionDistance(4, 10, max_rows=20, seed=5)
        for start in range(0, 120, batch_size):
            metric.update_state(REAL[start : start + batch_size])
        kept.append(metric.rows["real"].array())
    np.testing.assert_array_equal(kept[0], kept[1])
    np.testing.assert_array_equal(kept[0], kept[2])


def test_a_small_sample_is_told_how_many_rows_it_needs():
    with pytest.raises(ValueError, match=r"needs at least 1000 rows.*real.shape=\(20, 6\)"):
        kernel_inception_distance(REAL[:20], FAKE[:20])


@pytest.mark.slow
@pytest.mark.parametrize("estimator, n, m", [("full", 200, 200), ("full", 300, 150), ("subsets", 200, 200)])
def test_the_95_percent_interval_covers_the_truth(estimator, n, m):
    d, shift = 16, 0.2
    truth = reference.gaussian_kid(np.zeros(d), np.full(d, shift))
    hits = 0
    for seed in range(500):
        real, fake = gaussians(seed, n, m, d, shift)
        kid = kernel_inception_distance(
            real, fake, estimator=estimator, num_subsets=20, subset_size=50, seed=seed
        )
        hits += abs(kid.mean - truth) < 1.96 * kid.standard_error
    low, high = stats.binom.ppf([0.025, 0.975], 500, 0.95)
    assert low - 1 <= hits <= high + 1  # 93 to 97 %
