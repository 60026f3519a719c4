"""Kernel values, slopes and composition against the formulas."""

import numpy as np
import pytest
import tensorflow as tf

from tests import harness, reference_mmd
from tfmmd import kernels
from tfmmd.kernels import base
from tfmmd.kernels.pairs import all_pairs, squared_distances

EVERY_KERNEL = pytest.mark.parametrize("kernel", harness.ALL_KERNELS, ids=repr)


@EVERY_KERNEL
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_matrix_has_the_formulas_entries(kernel, dtype):
    x, y = harness.samples(7, 5, dtype=dtype)
    expected = reference_mmd.matrix(kernel, x.astype("float64"), y.astype("float64"))
    actual = kernel(x, y)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-5 if dtype == "float32" else 1e-12)


@EVERY_KERNEL
def test_the_matrix_is_symmetric(kernel):
    x, y = harness.samples(6, 4)
    np.testing.assert_allclose(kernel(x, y), tf.transpose(kernel(y, x)), rtol=1e-5)


@EVERY_KERNEL
def test_matching_rows_give_the_diagonal(kernel):
    x, y = (tf.constant(s) for s in harness.samples(6, 6))
    np.testing.assert_allclose(kernel.matching(x, y), tf.linalg.diag_part(kernel(x, y)), rtol=1e-5)


@EVERY_KERNEL
def test_the_slopes_are_the_derivatives_of_the_kernel(kernel):
    x, y = (tf.constant(s) for s in harness.samples(6, 4, dtype="float64"))
    pairs = all_pairs(x, y, distance=True, product=True)
    value, *slopes = kernel.slopes(pairs)
    np.testing.assert_allclose(value, kernel.of_pairs(pairs), rtol=1e-12)
    for i, slope in enumerate(slopes):
        _, expected = base.elementwise_slope(lambda t, i=i: kernel.of_pairs(_replaced(pairs, i, t)), pairs[i])
        np.testing.assert_allclose(tf.zeros_like(expected) if slope is None else slope, expected, rtol=1e-10)


def _replaced(pairs, i, value):
    return type(pairs)(*(value if j == i else part for j, part in enumerate(pairs)))


@pytest.mark.parametrize("kernel", harness.RADIAL_KERNELS, ids=repr)
def test_a_row_is_at_distance_zero_of_itself(kernel):
    x = tf.constant(harness.samples(5, 5, offset=100.0)[0])
    expected = kernel.of_squared_distance(tf.zeros([5]))
    np.testing.assert_array_equal(tf.linalg.diag_part(kernel(x, x)), expected)


@EVERY_KERNEL
def test_first_and_second_derivatives_are_finite_at_equal_points(kernel):
    x = tf.constant(np.ones([3, 2], np.float32))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = tf.reduce_sum(kernel(x, tf.ones([4, 2])))
        first = inner.gradient(value, x)
    second = outer.gradient(first, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert np.isfinite(first).all() and np.isfinite(second).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_points_are_computed_in_float32(dtype):
    x, y = (tf.cast(s, dtype) for s in harness.samples(6, 4))
    kernel = kernels.Gaussian(harness.BANDWIDTHS)
    np.testing.assert_array_equal(kernel(x, y), kernel(tf.cast(x, tf.float32), tf.cast(y, tf.float32)))


def test_squared_distances_keep_their_digits_far_from_the_origin():
    x, y = harness.samples(40, 30, d=5, offset=1000.0)
    expected = ((x[:, None].astype("float64") - y[None].astype("float64")) ** 2).sum(-1)
    np.testing.assert_allclose(squared_distances(x, y), expected, rtol=2e-5)


@pytest.mark.parametrize("ratio", [2.0, 2.0**0.5, 3.0])
def test_exponentials_by_squaring_equal_fresh_ones(ratio):
    kernel = kernels.Gaussian(kernels.geometric_bandwidths(2.0, 8, ratio))
    d2 = tf.constant(np.linspace(0.0, 60.0, 500), tf.float32)
    value, _ = kernel.value_and_slope(d2)
    np.testing.assert_allclose(value, kernel.of_squared_distance(d2), rtol=5e-6)


def test_kernels_add_multiply_and_scale():
    x, y = harness.samples(4, 3)
    a, b = kernels.Gaussian((1.0,)), kernels.Linear()
    np.testing.assert_allclose((a + b)(x, y), a(x, y) + b(x, y), rtol=1e-6)
    np.testing.assert_allclose((a * b)(x, y), a(x, y) * b(x, y), rtol=1e-6)
    np.testing.assert_allclose((2.0 * a)(x, y), 2.0 * a(x, y), rtol=1e-6)


@pytest.mark.parametrize(
    "part",
    [
        kernels.OnFeatures(kernels.Gaussian(), lambda t: 2.0 * t),
        kernels.Gaussian() * kernels.Polynomial(),
        kernels.OnFeatures(kernels.Energy(), tf.abs) * kernels.Gaussian(),
    ],
    ids=["features", "pairwise product", "product"],
)
def test_a_kernel_added_to_itself_has_the_terms_of_twice_the_kernel(part):
    x, y = harness.samples(5, 4)
    twice = sum(
        factor * (kernel(x, y) if features is None else kernel(features(x), features(y)))
        for factor, features, kernel in (part + part).terms()
    )
    np.testing.assert_allclose(twice, 2.0 * part(x, y), rtol=1e-6)


def test_sums_of_sums_are_one_sum():
    parts = (kernels.Energy() + kernels.Linear() + kernels.Gaussian()).kernels
    assert [type(k).__name__ for k in parts] == ["Energy", "Linear", "Gaussian"]


def test_a_kernel_on_features_is_the_kernel_of_the_features():
    x, y = harness.samples(4, 3)
    kernel = kernels.OnFeatures(kernels.Gaussian(), lambda t: 2.0 * t)
    np.testing.assert_allclose(kernel(x, y), kernels.Gaussian()(2.0 * x, 2.0 * y), rtol=1e-6)


def test_an_own_radial_kernel_needs_one_formula():
    class Cauchy(kernels.RadialKernel):
        def of_squared_distance(self, d2):
            return 1.0 / (1.0 + d2)

    d2 = tf.constant([0.0, 1.0, 4.0])
    np.testing.assert_allclose(Cauchy().value_and_slope(d2)[1], -1.0 / (1.0 + d2) ** 2, rtol=1e-6)


def test_a_kernel_is_traced_with_unknown_sizes():
    kernel = kernels.Polynomial()
    spec = tf.TensorSpec([None, None], tf.float32)
    x, y = harness.samples(4, 3)
    np.testing.assert_allclose(tf.function(kernel.__call__, input_signature=[spec, spec])(x, y), kernel(x, y))
