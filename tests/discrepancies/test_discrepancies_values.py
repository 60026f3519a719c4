"""MMD**2 and its gradient against float64 NumPy: every kernel, estimator and path."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from tests import harness, reference_mmd
from tfmmd import discrepancies, kernels

EVERY_KERNEL = pytest.mark.parametrize("kernel", harness.ALL_KERNELS, ids=repr)
QUADRATIC = pytest.mark.parametrize("estimator", ["unbiased", "biased"])
METHODS = pytest.mark.parametrize("options", [{"method": "plain"}, {}, {"tile_rows": 4}], ids=str)


def expected(kernel, x, y, **options):
    """Value and both gradients of the slow twin."""
    x, y = x.astype("float64"), y.astype("float64")
    swapped = {**options, "a": options.get("b"), "b": options.get("a")}
    return [
        reference_mmd.mmd2(kernel, x, y, **options),
        reference_mmd.gradient(kernel, x, y, **options),
        reference_mmd.gradient(kernel, y, x, **swapped),
    ]


def actual(kernel, x, y, **options):
    """Value and both gradients of `mmd2`."""
    return harness.value_and_gradients(lambda a, b: discrepancies.mmd2(a, b, kernel, **options), x, y)


@EVERY_KERNEL
@QUADRATIC
@METHODS
def test_value_and_gradients_in_float64_are_exact(kernel, estimator, options):
    x, y = harness.samples(14, 9, dtype="float64")
    reference = expected(kernel, x, y, biased=estimator == "biased")
    harness.assert_close(actual(kernel, x, y, estimator=estimator, **options), reference, 1e-11)


@EVERY_KERNEL
@QUADRATIC
@pytest.mark.parametrize("options", [{"method": "plain"}, {}, {"tile_rows": 25}], ids=str)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_value_and_gradients_in_float32_are_within_1e5(kernel, estimator, options, offset):
    x, y = harness.samples(60, 41, offset=offset)
    reference = expected(kernel, x, y, biased=estimator == "biased")
    harness.assert_close(actual(kernel, x, y, estimator=estimator, **options), reference, 1e-5)


@EVERY_KERNEL
@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 5), (3, 2), (17, 16), (33, 100)])
def test_value_and_gradients_hold_for_any_sizes(kernel, n, m):
    x, y = harness.samples(n, m)
    # Two rows: a float32 sum of a few terms that nearly cancel.
    harness.assert_close(actual(kernel, x, y), expected(kernel, x, y), 1e-5)


@EVERY_KERNEL
@pytest.mark.parametrize("size", [801, pytest.param(4000, marks=pytest.mark.slow)])
def test_large_samples_agree_with_float64(kernel, size):
    x, y = harness.samples(size, size - 100, d=4)
    wide = [s.astype("float64") for s in (x, y)]
    reference = actual(kernel, *wide, tile_rows=300)  # exact in float64, as the tests above show
    harness.assert_close(actual(kernel, x, y), reference, 1e-5)
    graph = tf.function(lambda a, b: _graph_gradients(kernel, a, b))(x, y)
    harness.assert_close([t.numpy() for t in graph], reference, 1e-5)


def _graph_gradients(kernel, x, y):
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        value = discrepancies.mmd2(x, y, kernel)
    return [value, *tape.gradient(value, [x, y])]


@EVERY_KERNEL
@QUADRATIC
@METHODS
def test_weighted_rows_count_as_their_weights_say(kernel, estimator, options):
    x, y = harness.samples(11, 8, dtype="float64")
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.2, 2.0, 11), rng.uniform(0.2, 2.0, 8)
    reference = expected(kernel, x, y, biased=estimator == "biased", a=a, b=b)
    result = actual(kernel, x, y, estimator=estimator, x_weights=a, y_weights=5.0 * b, **options)
    harness.assert_close(result, reference, 1e-11)


def test_whole_weights_are_repeated_rows_in_the_biased_form():
    x, y = harness.samples(6, 5, dtype="float64")
    kernel, counts = kernels.Gaussian(), np.array([1, 2, 3, 1, 1, 4])
    weighted = discrepancies.mmd2(x, y, kernel, estimator="biased", x_weights=counts)
    repeated = discrepancies.mmd2(np.repeat(x, counts, axis=0), y, kernel, estimator="biased")
    np.testing.assert_allclose(weighted, repeated, rtol=1e-12)


def test_the_gradient_with_respect_to_weights_is_that_of_the_plain_form():
    x, y = harness.samples(9, 7, dtype="float64")
    a, b = np.random.default_rng(1).uniform(0.5, 2.0, 9), np.ones(7)

    def gradients(method):
        return harness.value_and_gradients(
            lambda a, b: discrepancies.mmd2(
                x, y, kernels.Gaussian(), method=method, x_weights=a, y_weights=b
            ),
            a,
            b,
        )

    harness.assert_close(gradients("tiled"), gradients("plain"), 1e-12)


def test_importance_weights_undo_a_change_of_distribution():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=[2000, 1]), rng.normal(loc=0.7, size=[2000, 1])
    ratios = np.exp(0.5 * 0.7**2 - 0.7 * y[:, 0])  # density of x over density of y
    kernel = kernels.Gaussian()
    corrected = discrepancies.mmd2(x, y, kernel, y_weights=ratios)
    assert abs(corrected) < 0.02 * discrepancies.mmd2(x, y, kernel)


@EVERY_KERNEL
def test_the_linear_time_estimate_is_the_mean_over_pairs(kernel):
    x, y = harness.samples(21, 16, dtype="float64")
    result = discrepancies.mmd2(x, y, kernel, estimator="linear")
    np.testing.assert_allclose(result, reference_mmd.linear(kernel, x, y), rtol=1e-10)


@EVERY_KERNEL
@pytest.mark.parametrize("size", [2, 5, 16])
def test_the_block_estimate_is_the_mean_of_blocks(kernel, size):
    x, y = harness.samples(21, 16, dtype="float64")
    result = discrepancies.mmd2(x, y, kernel, estimator="block", block_size=size)
    np.testing.assert_allclose(result, reference_mmd.block(kernel, x, y, size), rtol=1e-10)


def test_large_blocks_one_after_the_other_give_the_same_value(monkeypatch):
    x, y = harness.samples(30, 26, dtype="float64")
    kernel = kernels.Gaussian() + kernels.OnFeatures(kernels.Energy(), lambda t: 2.0 * t)
    at_once = discrepancies.mmd2(x, y, kernel, estimator="block", block_size=7)
    module = importlib.import_module("tfmmd.discrepancies.mmd")  # the function of that name hides it
    monkeypatch.setattr(module, "_LARGE_BLOCK", 0)
    in_turn = discrepancies.mmd2(x, y, kernel, estimator="block", block_size=7)
    np.testing.assert_allclose(at_once, in_turn, rtol=1e-10)


def test_the_default_block_is_the_root_of_the_smaller_sample():
    x, y = harness.samples(30, 26, dtype="float64")
    result = discrepancies.mmd2(x, y, kernels.Gaussian(), estimator="block")
    np.testing.assert_allclose(result, reference_mmd.block(kernels.Gaussian(), x, y, 5), rtol=1e-10)


@pytest.mark.parametrize("estimator", ["linear", "block"])
def test_other_estimators_have_the_gradient_of_finite_differences(estimator):
    x, y = harness.samples(8, 8, dtype="float64")
    exact, numeric = tf.test.compute_gradient(
        lambda t: discrepancies.mmd2(t, y, kernels.Gaussian(), estimator=estimator), [x]
    )
    np.testing.assert_allclose(exact[0], numeric[0], atol=1e-6)


@pytest.mark.parametrize("kernel", harness.KINDS_OF_KERNEL, ids=repr)
@pytest.mark.parametrize("rows", [1, 3, 7, 12, 17, 1000])
def test_the_tiles_do_not_change_the_result(kernel, rows):
    x, y = harness.samples(17, 12)
    harness.assert_close(actual(kernel, x, y, tile_rows=rows), actual(kernel, x, y), 2e-6)


class Watched(kernels.RadialKernel):
    """A kernel that notes the shape of every tile."""

    def __init__(self):
        self.shapes = []

    def of_squared_distance(self, d2):
        self.shapes.append(tuple(d2.shape))
        return tf.exp(-d2)


@pytest.mark.parametrize("rows", [1, 8, 30])
def test_tile_rows_is_the_largest_number_of_rows_of_a_tile(rows):
    kernel = Watched()
    discrepancies.mmd2(*harness.samples(50, 37), kernel, tile_rows=rows)
    assert max(shape[0] for shape in kernel.shapes) in range((rows + 1) // 2, rows + 1)


def test_no_tile_is_as_large_as_the_kernel_matrix():
    kernel = Watched()
    discrepancies.mmd2(*harness.samples(6000, 5000, d=1), kernel)
    assert max(rows * columns for rows, columns in kernel.shapes) <= 2**21


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_half_precision_samples_are_those_of_float32(dtype):
    kernel = kernels.Gaussian()
    x, y = (tf.cast(s, dtype) for s in harness.samples(30, 20))
    wide = harness.value_and_gradients(
        lambda a, b: discrepancies.mmd2(a, b, kernel), tf.cast(x, tf.float32), tf.cast(y, tf.float32)
    )
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        value = discrepancies.mmd2(x, y, kernel)
    gradients = tape.gradient(value, [x, y])
    assert [g.dtype for g in gradients] == [dtype, dtype]
    harness.assert_close(
        [tf.cast(g, tf.float64).numpy() for g in gradients], wide[1:], 1e-3 if dtype == "float16" else 8e-3
    )  # half a unit in the last place of the gradient itself


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_samples_are_computed_in_float32(dtype):
    x, y = (tf.cast(s, dtype) for s in harness.samples(30, 20))
    result = discrepancies.mmd2(x, y, kernels.Gaussian())
    wide = discrepancies.mmd2(tf.cast(x, tf.float32), tf.cast(y, tf.float32), kernels.Gaussian())
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, wide)


@pytest.mark.parametrize("method", ["auto", "plain"])
def test_a_kernel_on_features_has_the_gradient_through_its_network(method):
    x, y = harness.samples(12, 9, dtype="float64")
    weight = tf.constant(np.random.default_rng(0).normal(size=[3, 2]))
    kernel = kernels.OnFeatures(kernels.Gaussian(), lambda t: tf.tanh(t @ weight)) + 0.5 * kernels.Energy()
    exact, numeric = tf.test.compute_gradient(lambda t: discrepancies.mmd2(t, y, kernel, method=method), [x])
    np.testing.assert_allclose(exact[0], numeric[0], atol=1e-6)


def test_the_energy_distance_is_its_definition():
    x, y = harness.samples(12, 9, dtype="float64")
    np.testing.assert_allclose(
        discrepancies.energy_distance(x, y), reference_mmd.mmd2(kernels.Energy(), x, y), rtol=1e-10
    )


def test_the_linear_kernels_mmd_is_the_distance_of_the_means():
    x, y = harness.samples(12, 9, dtype="float64")
    value = discrepancies.mmd2(x, y, kernels.Linear(), estimator="biased")
    np.testing.assert_allclose(value, np.sum((x.mean(0) - y.mean(0)) ** 2), rtol=1e-10)


def test_mmd_is_the_root_of_the_biased_form():
    x, y = harness.samples(12, 9, dtype="float64")
    squared = reference_mmd.mmd2(kernels.Gaussian(), x, y, biased=True)
    np.testing.assert_allclose(discrepancies.mmd(x, y, kernels.Gaussian()), squared**0.5, rtol=1e-10)


@EVERY_KERNEL
def test_exchanging_the_samples_changes_nothing(kernel):
    x, y = harness.samples(12, 9, dtype="float64")
    np.testing.assert_allclose(discrepancies.mmd2(x, y, kernel), discrepancies.mmd2(y, x, kernel), rtol=1e-9)
