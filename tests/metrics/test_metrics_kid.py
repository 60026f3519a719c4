"""Kernel inception distance: values, subsets, standard errors, order of rows."""

import numpy as np
import pytest
from scipy import stats

from tests import reference_metrics as reference
from tfmmd.metrics import KernelInceptionDistance, kernel_inception_distance, kernel_sums, kid_errors

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


COVERED = [  # estimator, rows, shift of every feature
    ("full", 150, 150, 0.0),
    ("full", 150, 150, 0.05),
    ("full", 150, 150, 0.1),
    ("full", 300, 150, 0.0),
    ("full", 300, 150, 0.1),
    ("subsets", 200, 200, 0.0),
    ("subsets", 200, 200, 0.1),
    ("blocks", 300, 300, 0.0),
    ("blocks", 300, 300, 0.1),
]


@pytest.mark.slow
@pytest.mark.parametrize("estimator, n, m, shift", COVERED)
def test_the_interval_covers_the_truth_near_equality_and_far_from_it(estimator, n, m, shift):
    truth = reference.gaussian_kid(np.zeros(16), np.full(16, shift))
    settings = {"estimator": estimator, "num_subsets": 20, "subset_size": 50}
    intervals = [
        kernel_inception_distance(*gaussians(seed, n, m, 16, shift), seed=seed, **settings).interval
        for seed in range(500)
    ]
    hits = sum(low <= truth <= high for low, high in intervals)
    low, high = stats.binom.ppf([0.025, 0.975], 500, 0.95)
    assert low - 1 <= hits <= high + 1  # 93 to 97 %


@pytest.mark.parametrize("estimator", ["subsets", "blocks", "full"])
def test_the_interval_holds_the_mean_and_is_printed(estimator):
    kid = kernel_inception_distance(REAL, FAKE, estimator=estimator, num_subsets=5, subset_size=30)
    low, high = kid.interval
    assert low < kid.mean < high
    assert f"95 % [{low:.6f}, {high:.6f}]" in str(kid)


def test_the_interval_of_blocks_uses_students_quantile():
    kid = kernel_inception_distance(REAL[:90], FAKE, estimator="blocks", subset_size=30)
    reach = stats.t.ppf(0.975, 2) * kid.standard_error
    np.testing.assert_allclose(kid.interval, (kid.mean - reach, kid.mean + reach), rtol=1e-10)


def test_the_ends_of_the_interval_are_the_candidates_at_1_96_of_their_own_deviations():
    mean, first, second, slope = 3.0, 2.0, 0.5, 0.7
    spread = second**0.5
    rate = (first + slope * spread) / (mean + spread)
    for end in kid_errors.score_interval(mean, first, second, slope):
        np.testing.assert_allclose((mean - end) ** 2, 1.959964**2 * (second + rate * end), rtol=1e-6)


@pytest.mark.parametrize("mean, holds", [(1.95, True), (1.97, False), (-1.95, True), (-1.97, False)])
def test_zero_is_in_the_interval_when_the_spread_at_equal_distributions_allows_it(mean, holds):
    low, high = kid_errors.score_interval(mean, 0.3, 1.0, 0.1)
    assert (low <= 0 <= high) == holds


def test_the_slope_is_the_one_of_loops_over_three_rows():
    x, y = REAL[:7], FAKE[:6]
    expected = 4 * reference.spectral_ratio(x) / 7 + 4 * reference.spectral_ratio(y) / 6
    np.testing.assert_allclose(kid_errors.typical_slope(x, y, 7, 6), expected, rtol=1e-9)


def test_a_kernel_of_equal_eigenvalues_has_their_slope():
    x = np.random.RandomState(0).standard_normal((500, 4)) * 0.05  # nearly the linear kernel 3 x.y / d
    np.testing.assert_allclose(
        kid_errors.typical_slope(x, x, 500, 500), 2 * 4 / 500 * 3 * 0.05**2 / 4, rtol=0.15
    )


@pytest.mark.parametrize("estimator", ["subsets", "blocks", "full"])
@pytest.mark.parametrize("fake", [np.ones((40, 3)), np.full((40, 3), 2.0)], ids=["identical", "apart"])
def test_constant_features_give_finite_numbers(estimator, fake):
    kid = kernel_inception_distance(
        np.ones((40, 3)), fake, estimator=estimator, num_subsets=3, subset_size=20
    )
    np.testing.assert_allclose(
        kid.mean, 8 + (fake[0, 0] ** 2 + 1) ** 3 - 2 * (fake[0, 0] + 1) ** 3, atol=1e-9
    )
    assert np.isfinite([kid.standard_error, *kid.interval]).all()


def test_identical_sets_are_below_zero_and_finite():
    kid = kernel_inception_distance(REAL, REAL, estimator="full")
    assert kid.mean < 0 and np.isfinite([kid.standard_error, *kid.interval]).all()
