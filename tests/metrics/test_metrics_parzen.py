"""Kernel density scores: values, the choice of the bandwidth, streaming, warnings."""

import numpy as np
import pytest
import tensorflow as tf

from tests import reference_metrics as reference
from tfmmd.metrics import (
    ParzenLogLikelihood,
    kde_distribution,
    kernel_density_log_prob,
    parzen_log_likelihood,
)
from tfmmd.metrics.parzen import GRID

RNG = np.random.RandomState(0)
WIDE = {"samples": RNG.rand(600, 784), "points": RNG.rand(40, 784)}  # pixels: the size of the tables
BLURRED = np.clip(RNG.rand(200, 20) * 0.4 + RNG.rand(200, 1) * 0.6, 0, 1)


@pytest.mark.parametrize("bandwidth", [0.1, 0.2, 0.29])
def test_float32_density_agrees_with_numpy_to_a_thousandth_of_a_nat(bandwidth):
    samples, points = (np.float32(WIDE[name]) for name in ("samples", "points"))
    value = kernel_density_log_prob(samples, points, bandwidth)[0]
    np.testing.assert_allclose(value, reference.kernel_density(samples, points, bandwidth), atol=1e-3)


def test_float64_density_agrees_with_numpy_to_rounding():
    value = kernel_density_log_prob(WIDE["samples"], WIDE["points"], 0.15)[0]
    np.testing.assert_allclose(value, reference.kernel_density(**WIDE, bandwidth=0.15), rtol=1e-12)


@pytest.mark.parametrize("num_samples", [1, 3, 999, 1001])
def test_density_is_the_same_with_and_without_compiled_blocks(num_samples):
    samples, points = np.float32(RNG.rand(num_samples, 5)), np.float32(RNG.rand(501, 5))
    value = kernel_density_log_prob(samples, points, [0.3])[0]
    np.testing.assert_allclose(value, reference.kernel_density(samples, points, 0.3), atol=1e-4)


def test_density_of_more_centres_than_a_block_is_the_mean_of_blocks():
    samples, points = np.float32(RNG.rand(20_500, 3)), np.float32(RNG.rand(5, 3))
    value = kernel_density_log_prob(samples, points, [0.1])[0]
    np.testing.assert_allclose(value, reference.kernel_density(samples, points, 0.1), atol=1e-4)


def test_all_bandwidths_at_once_equal_one_at_a_time():
    together = kernel_density_log_prob(WIDE["samples"], WIDE["points"], GRID)
    alone = [kernel_density_log_prob(WIDE["samples"], WIDE["points"], h)[0] for h in GRID]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_the_tfp_object_has_the_same_density():
    samples, points = np.float32(WIDE["samples"][:50]), np.float32(WIDE["points"][:7])
    value = kde_distribution(samples, 0.2).log_prob(points)
    np.testing.assert_allclose(value, kernel_density_log_prob(samples, points, 0.2)[0], atol=3e-3)


def test_the_tfp_object_samples_with_a_seed():
    distribution = kde_distribution(np.zeros((4, 3), np.float32), 0.5)
    assert distribution.sample(9, seed=[1, 2]).shape == (9, 3)


def test_score_of_gaussian_samples_is_near_its_closed_form():
    samples, test = np.random.RandomState(1).standard_normal((2, 20_000, 2))
    h = 0.3
    # E log N(x; 0, (1 + h**2) I) over x ~ N(0, I)
    exact = -np.log(2 * np.pi * (1 + h**2)) - 1 / (1 + h**2)
    estimate = parzen_log_likelihood(samples, test, bandwidths=[h])
    assert abs(estimate.mean - exact) < 4 * estimate.standard_error + 2e-3  # 2e-3: 20 000 kernels


def test_the_validation_set_chooses_the_bandwidth_and_the_test_set_scores_it():
    samples, test, validation = BLURRED[:100], BLURRED[100:150], BLURRED[150:]
    estimate = parzen_log_likelihood(samples, test, validation)
    means = [reference.kernel_density(samples, validation, h).mean() for h in GRID]
    best = GRID[int(np.argmax(means))]
    values = reference.kernel_density(samples, test, best)
    assert estimate.bandwidth == best
    np.testing.assert_allclose(estimate.mean, values.mean(), rtol=1e-9)
    np.testing.assert_allclose(estimate.standard_error, values.std() / np.sqrt(50), rtol=1e-9)


def test_the_default_grid_is_that_of_gmmn():
    np.testing.assert_allclose(GRID, np.arange(10, 30) / 100)


def test_a_bandwidth_at_the_edge_of_the_grid_warns():
    with pytest.warns(UserWarning, match="edge of the grid"):
        estimate = parzen_log_likelihood(
            BLURRED[:100], BLURRED[100:], BLURRED[100:], bandwidths=[0.001, 0.01]
        )
    assert estimate.at_grid_edge and "edge" in str(estimate)


def test_the_printed_score_names_the_number_of_samples():
    text = str(parzen_log_likelihood(BLURRED[:100], BLURRED[100:], bandwidths=0.2))
    assert text.startswith("KDE (100 samples): ") and "nats, bandwidth 0.2" in text


def test_images_are_flattened():
    images = np.float32(RNG.rand(30, 4, 4, 1))
    flat = images.reshape(30, 16)
    assert parzen_log_likelihood(images, images, bandwidths=0.2) == parzen_log_likelihood(
        flat, flat, bandwidths=0.2
    )


@pytest.mark.parametrize("scale, shift", [(255, 0), (2, -1)])
def test_images_outside_of_the_unit_range_are_refused(scale, shift):
    images = np.round(RNG.rand(20, 100)) * scale + shift
    with pytest.raises(ValueError, match=r"must be images in \[0, 1\].*Received.*check_range=False"):
        parzen_log_likelihood(images, images, bandwidths=0.2)
    assert np.isfinite(parzen_log_likelihood(images, images, bandwidths=0.2, check_range=False).mean)


def test_a_far_point_has_a_finite_score():
    value = kernel_density_log_prob(np.zeros((3, 2)), [[1e3, 0.0]], 0.1)
    np.testing.assert_allclose(value, [[-0.5e8 - np.log(2 * np.pi * 0.01)]])


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_the_streaming_score_does_not_depend_on_the_batch_size(batch_size):
    samples, test, validation = (np.float32(x) for x in np.split(BLURRED[:180], 3))
    metric = ParzenLogLikelihood(samples)
    for start in range(0, 60, batch_size):
        metric.update_state(test[start : start + batch_size])
        metric.update_validation(validation[start : start + batch_size])
    whole, streamed = parzen_log_likelihood(samples, test, validation), metric.estimate()
    assert streamed.bandwidth == whole.bandwidth
    np.testing.assert_allclose(streamed.mean, whole.mean, rtol=1e-5)
    np.testing.assert_allclose(streamed.standard_error, whole.standard_error, rtol=1e-4)
    np.testing.assert_allclose(metric.result(), whole.mean, rtol=1e-5)


def test_the_streaming_score_updates_inside_a_graph_with_unknown_batch_size():
    samples, test = np.float32(BLURRED[:100]), np.float32(BLURRED[100:])
    metric = ParzenLogLikelihood(samples, bandwidths=0.2)
    update = tf.function(metric.update_state, input_signature=[tf.TensorSpec([None, 20])])
    update(test[:33])
    update(test[33:])
    np.testing.assert_allclose(
        metric.result(), parzen_log_likelihood(samples, test, bandwidths=0.2).mean, rtol=1e-5
    )


def test_new_samples_start_a_new_score():
    metric = ParzenLogLikelihood(BLURRED[:100], bandwidths=0.2)
    metric.update_state(BLURRED[100:])
    metric.set_samples(BLURRED[50:150])
    metric.update_state(BLURRED[150:])
    assert metric.estimate().num_test == 50


def test_bandwidths_without_validation_data_are_refused():
    with pytest.raises(ValueError, match="never on test data"):
        parzen_log_likelihood(BLURRED, BLURRED)


def test_the_streaming_score_does_not_choose_a_bandwidth_without_validation_data():
    metric = ParzenLogLikelihood(np.float32(BLURRED[:50]))
    metric.update_state(np.float32(BLURRED[50:]))
    for score in (metric.estimate, metric.result):
        with pytest.raises(ValueError, match="never on test data.*no validation data and 20 bandwidths"):
            score()
    in_graph = tf.function(metric.result)
    with pytest.raises(tf.errors.InvalidArgumentError, match="never on test data"):
        in_graph()
    metric.update_validation(np.float32(BLURRED[:50]))
    np.testing.assert_allclose(in_graph(), metric.result(), rtol=1e-6)


def test_rows_of_different_size_are_refused():
    with pytest.raises(ValueError, match="same number of features"):
        parzen_log_likelihood(BLURRED, BLURRED[:, :5], bandwidths=0.2)
