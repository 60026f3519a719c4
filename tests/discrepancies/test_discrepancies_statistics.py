"""Statistical facts: means and variances of the estimators, level and power of the tests."""

import dataclasses

import matplotlib.pyplot
import numpy as np
import pytest
import tensorflow as tf

from tests import harness, reference_mmd
from tfmmd import discrepancies, kernels, seeds
from tfmmd.discrepancies import permutations

KERNEL = kernels.Gaussian((1.0,))


def gaussians(n, m, shift, rng, d=2):
    """Samples of N(0, I) and N((shift, 0, ...), I)."""
    return rng.normal(size=[n, d]), rng.normal(size=[m, d]) + shift * np.eye(d)[0]


def true_mmd2(shift, d=2, v=1.0):
    """MMD**2 of N(0, I) and N((shift, 0, ...), I) for a Gaussian kernel of variance v."""
    return 2 * (v / (v + 2)) ** (d / 2) * (1 - np.exp(-(shift**2) / (2 * (v + 2))))


def repeated(estimator, shift, repetitions=400, n=50, **options):
    """Estimates from independent samples."""
    rng = np.random.default_rng(0)
    pairs = (gaussians(n, n, shift, rng) for _ in range(repetitions))
    estimate = tf.function(lambda x, y: discrepancies.mmd2(x, y, KERNEL, estimator=estimator, **options))
    return np.array([estimate(tf.constant(x), tf.constant(y)) for x, y in pairs])


@pytest.mark.parametrize("estimator", ["unbiased", "linear", "block"])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_estimates_average_to_the_true_value(estimator, shift):
    values = repeated(estimator, shift)
    error = values.std() / len(values) ** 0.5
    np.testing.assert_allclose(values.mean(), true_mmd2(shift), rtol=0, atol=4 * error)


def test_the_biased_form_is_too_large_by_the_diagonal():
    values = repeated("biased", 1.0)
    error = values.std() / len(values) ** 0.5
    np.testing.assert_allclose(values.mean(), true_mmd2(1.0) + 2 / 50 * (1 - 1 / 3), rtol=0, atol=4 * error)


@pytest.mark.parametrize(("estimator", "size"), [("linear", 2), ("block", 10)])
def test_linear_and_block_variances_are_those_of_a_mean_of_independent_blocks(estimator, size):
    many = repeated(estimator, 0.0, **({"block_size": size} if estimator == "block" else {}))
    one = repeated(estimator, 0.0, repetitions=2000, n=size, **({"block_size": size} if size > 2 else {}))
    np.testing.assert_allclose(many.var() * 50 / size, one.var(), rtol=0.25)  # 400 draws: 7% standard error


def degenerate_variance(d=2, v=1.0):
    """E of the squared doubly centred Gaussian kernel of variance v under N(0, I): E k^2 - 2 E mu(X)^2 + (E k)^2."""
    square = (v / (v + 4)) ** (d / 2)
    of_means = (v / (v + 1)) ** d * ((v + 1) / (v + 3)) ** (d / 2)
    return square - 2 * of_means + (v / (v + 2)) ** d


@pytest.mark.parametrize(
    ("estimator", "options", "expected"),
    [
        ("unbiased", {}, 4 / (50 * 49) + 4 / 50**2),
        ("linear", {}, 4 / 25),
        ("block", {"block_size": 10}, (4 / (10 * 9) + 4 / 10**2) / 5),
    ],
)
def test_variances_of_equal_distributions_are_those_of_theory(estimator, options, expected):
    values = repeated(estimator, 0.0, repetitions=2000, **options)
    # The kernel's first order parts cancel. 2000 draws of a skewed estimate: about 5% standard error.
    np.testing.assert_allclose(values.var(), expected * degenerate_variance(), rtol=0.2)


def test_the_gradient_averages_to_the_gradient_of_the_true_value():
    @tf.function
    def slope(x, y):
        with tf.GradientTape() as tape:
            tape.watch(y)
            value = discrepancies.mmd2(x, y, KERNEL)
        return tf.reduce_sum(tape.gradient(value, y), axis=0)

    rng = np.random.default_rng(1)
    pairs = (gaussians(50, 50, 1.0, rng) for _ in range(300))
    slopes = np.array([slope(tf.constant(x), tf.constant(y)) for x, y in pairs])
    expected = 2 / 3 * np.exp(-1 / 6) * np.array([1.0, 0.0]) / 3
    np.testing.assert_allclose(slopes.mean(0), expected, rtol=0, atol=4 * slopes.std(0).max() / 300**0.5)


@pytest.mark.parametrize("kernel", harness.ALL_KERNELS, ids=repr)
def test_the_variance_of_equal_sizes_is_the_published_formula(kernel):
    x, y = harness.samples(12, 12, dtype="float64")
    value, variance = discrepancies.mmd2_and_variance(x, y, kernel)
    np.testing.assert_allclose(value, reference_mmd.mmd2(kernel, x, y), rtol=1e-10)
    np.testing.assert_allclose(variance, reference_mmd.variance(kernel, x, y), rtol=1e-8)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (60, 40), (50, 51)])
def test_the_variance_is_that_of_repeated_estimates(n, m):
    rng = np.random.default_rng(0)
    estimate = tf.function(lambda x, y: discrepancies.mmd2_and_variance(x, y, KERNEL))
    pairs = (gaussians(n, m, 1.0, rng) for _ in range(500))
    results = np.array([estimate(tf.constant(x), tf.constant(y)) for x, y in pairs])
    # Both are noisy, and the plug-in estimate is about 10% low at n = 50.
    np.testing.assert_allclose(results[:, 1].mean(), results[:, 0].var(), rtol=0.25)


def test_the_variance_has_a_gradient():
    x, y = harness.samples(8, 8, dtype="float64")
    _, slope, _ = harness.value_and_gradients(
        lambda a, b: discrepancies.mmd2_and_variance(a, b, KERNEL)[1], x, y
    )
    step = 1e-6 * np.eye(8)[0][:, None]
    ends = [discrepancies.mmd2_and_variance(x + s * step, y, KERNEL)[1] for s in (1, -1)]
    np.testing.assert_allclose(slope[0].sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


def test_permutations_give_the_statistics_of_permuted_samples():
    x, y = harness.samples(9, 6, dtype="float64")
    result = discrepancies.permutation_test(x, y, KERNEL, num_permutations=3, seed=4)
    pooled = np.concatenate([x, y])
    inside = permutations.subsets(9, 15, 3, seeds.generator(4, "permutations")).T
    expected = [reference_mmd.mmd2(KERNEL, pooled[a], pooled[~a]) for a in inside]
    np.testing.assert_allclose(result.null_distribution, expected, rtol=1e-9)


@pytest.mark.parametrize(("n", "size"), [(9, 15), (1, 700), (699, 700), (250, 500)])
def test_every_permutation_has_as_many_rows_as_the_first_sample(n, size):
    inside = permutations.subsets(n, size, 50, seeds.generator(0, "permutations"))
    np.testing.assert_array_equal(inside.sum(axis=0), np.full(50, n))


@pytest.mark.parametrize("n", [2, 3])
def test_all_subsets_of_rows_are_equally_likely(n):
    inside = permutations.subsets(n, 5, 20_000, seeds.generator(0, "permutations"))
    counts = np.bincount(2 ** np.arange(5) @ inside)
    counts = counts[counts > 0]
    assert len(counts) == 10
    assert np.sum((counts - 2000) ** 2 / 2000) < 27.9  # chi-square of 9 degrees of freedom: 1 in 1000


@pytest.mark.parametrize("kernel", harness.ALL_KERNELS, ids=repr)
def test_the_permutation_statistic_is_the_unbiased_mmd(kernel):
    x, y = harness.samples(40, 25)
    result = discrepancies.permutation_test(x, y, kernel, num_permutations=9, seed=0)
    np.testing.assert_allclose(result.statistic, discrepancies.mmd2(x, y, kernel), rtol=2e-5)


def test_the_p_value_counts_permutations_at_least_as_large():
    result = discrepancies.permutation_test(*harness.samples(20, 20), KERNEL, num_permutations=99, seed=0)
    count = np.sum(result.null_distribution >= result.statistic)
    assert result.p_value == (1 + count) / 100


def test_the_seed_decides_the_permutations():
    x, y = harness.samples(20, 15)
    first, second, other = (
        discrepancies.permutation_test(x, y, KERNEL, num_permutations=50, seed=s).null_distribution
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_blocks_of_rows_and_of_permutations_do_not_change_the_test(monkeypatch):
    x, y = harness.samples(30, 21)
    whole = discrepancies.permutation_test(x, y, KERNEL, num_permutations=40, seed=1)
    monkeypatch.setattr(permutations, "_BLOCK", 8)
    monkeypatch.setattr("tfmmd.discrepancies.two_sample._ENTRIES", 51 * 7)
    parts = discrepancies.permutation_test(x, y, KERNEL, num_permutations=40, seed=1)
    np.testing.assert_allclose(parts.null_distribution, whole.null_distribution, atol=1e-7)


def test_the_same_sample_twice_is_not_rejected():
    x = harness.samples(20, 20)[0]
    assert discrepancies.permutation_test(x, x, KERNEL, seed=0).p_value > 0.5


def test_the_permutation_test_has_power():
    rng = np.random.default_rng(0)
    rejections = [
        discrepancies.permutation_test(
            *gaussians(100, 100, 1.0, rng), KERNEL, num_permutations=200, seed=i
        ).p_value
        <= 0.05
        for i in range(40)
    ]
    assert np.mean(rejections) > 0.9


@pytest.mark.slow
def test_the_permutation_test_keeps_its_level():
    rng = np.random.default_rng(0)
    rejections = [
        discrepancies.permutation_test(
            *gaussians(30, 25, 0.0, rng), KERNEL, num_permutations=199, seed=i
        ).p_value
        <= 0.05
        for i in range(2000)
    ]
    assert 0.04 <= np.mean(rejections) <= 0.06


def test_the_relative_test_prefers_the_closer_sample():
    rng = np.random.default_rng(0)
    real, near = gaussians(200, 200, 0.1, rng)
    far = gaussians(200, 200, 1.0, rng)[1]
    better = discrepancies.relative_test(real, near, far, KERNEL)
    worse = discrepancies.relative_test(real, far, near, KERNEL)
    assert better.p_value < 1e-3
    np.testing.assert_allclose(better.p_value + worse.p_value, 1.0, atol=1e-9)
    assert "candidate closer" in str(better)


def test_the_relative_difference_is_that_of_two_mmds():
    rng = np.random.default_rng(0)
    real, a = gaussians(20, 20, 0.5, rng)
    b = gaussians(20, 20, 0.2, rng)[1]
    expected = reference_mmd.mmd2(KERNEL, real, a) - reference_mmd.mmd2(KERNEL, real, b)
    result = discrepancies.relative_test(real, a, b, KERNEL)
    np.testing.assert_allclose(result.difference, expected, rtol=1e-9)
    np.testing.assert_allclose(result.statistic, expected / result.variance**0.5, rtol=1e-9)


def test_relative_p_values_are_uniform_when_both_are_equally_close():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(200):
        real, a = gaussians(60, 60, 0.7, rng)
        values.append(discrepancies.relative_test(real, a, gaussians(60, 60, 0.7, rng)[1], KERNEL).p_value)
    # 200 draws of a uniform number: standard error of the mean 0.02, of a quarter's share 0.03.
    np.testing.assert_allclose(np.mean(values), 0.5, atol=0.08)
    np.testing.assert_allclose(np.mean(np.array(values) < 0.25), 0.25, atol=0.12)


def test_a_floor_of_the_variance_draws_the_p_value_to_one_half():
    rng = np.random.default_rng(0)
    real, near = gaussians(100, 100, 0.1, rng)
    far = gaussians(100, 100, 1.0, rng)[1]
    floored = discrepancies.relative_test(real, near, far, KERNEL, variance_floor=1e6)
    np.testing.assert_allclose(floored.p_value, 0.5, atol=1e-3)


def test_the_kernel_of_largest_power_is_selected():
    rng = np.random.default_rng(0)
    x, y = gaussians(300, 300, 0.6, rng)
    candidates = [kernels.Gaussian((s,)) for s in (0.01, 1.5, 100.0)]
    choice = discrepancies.select_kernel(x, y, candidates, seed=0)
    assert choice.kernel is candidates[1]
    assert len(choice.x_test) == len(choice.y_test) == 150


def test_the_rows_left_for_the_test_were_not_seen_by_the_choice():
    x = np.arange(20.0)[:, None]
    choice = discrepancies.select_kernel(x, x + 0.5, [KERNEL], seed=0)
    again = discrepancies.select_kernel(x, x + 0.5, [KERNEL], seed=0)
    np.testing.assert_array_equal(choice.x_test, again.x_test)
    assert len(np.unique(choice.x_test)) == 10


@pytest.mark.parametrize("name", ["statistic", "p_value", "null_distribution"])
def test_results_cannot_be_changed(name):
    result = discrepancies.permutation_test(*harness.samples(5, 5), KERNEL, num_permutations=9, seed=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, name, 0.0)


def test_results_print_in_one_line():
    result = discrepancies.permutation_test(*harness.samples(20, 20), KERNEL, num_permutations=99, seed=0)
    assert "p = 0.01 (99 permutations" in str(result)


def test_the_null_distribution_is_drawn_with_the_statistic():
    result = discrepancies.permutation_test(*harness.samples(20, 20), KERNEL, num_permutations=99, seed=0)
    axes = discrepancies.plot_null_distribution(result)
    assert axes.get_xlabel() == "MMD**2"
    assert f"p = {result.p_value:.3g}" in axes.get_legend().get_texts()[-1].get_text()
    matplotlib.pyplot.close(axes.figure)
