"""Inception score, precision and recall, sharpness."""

import numpy as np
import pytest

from tests import reference_metrics as reference
from tfmmd.metrics import InceptionScore, PrecisionRecall, inception_score, precision_recall, sharpness

RNG = np.random.RandomState(7)
PROBABILITIES = RNG.dirichlet(np.full(10, 0.2), 203)
REAL, FAKE = RNG.standard_normal((60, 3)), RNG.standard_normal((45, 3)) + 0.5


def test_the_score_of_each_split_equals_the_textbook_formula():
    estimate = inception_score(PROBABILITIES, num_splits=4, shuffle=False)
    edges = [i * 203 // 4 for i in range(5)]
    scores = [reference.inception_score(PROBABILITIES[a:b]) for a, b in zip(edges, edges[1:])]
    np.testing.assert_allclose(estimate.mean, np.mean(scores), rtol=1e-10)
    np.testing.assert_allclose(estimate.standard_deviation, np.std(scores), rtol=1e-8)


def test_equal_rows_score_one():
    np.testing.assert_allclose(inception_score(np.tile(PROBABILITIES[:1], (20, 1))).mean, 1.0, rtol=1e-12)


def test_sure_and_even_classes_score_their_number():
    np.testing.assert_allclose(inception_score(np.tile(np.eye(5), (10, 1)), num_splits=1).mean, 5.0)


def test_a_class_without_probability_is_skipped():
    padded = np.concatenate([PROBABILITIES, np.zeros((203, 2))], axis=1)
    np.testing.assert_allclose(inception_score(padded).mean, inception_score(PROBABILITIES).mean, rtol=0.05)
    assert np.isfinite(inception_score(padded, shuffle=False).mean)


def test_logits_score_as_their_probabilities():
    logits = np.log(PROBABILITIES) + 50
    value = inception_score(logits, from_logits=True, shuffle=False).mean
    np.testing.assert_allclose(value, inception_score(PROBABILITIES, shuffle=False).mean, rtol=1e-8)


def test_extreme_logits_are_finite():
    logits = 1e4 * np.eye(5)[np.arange(50) % 5]
    np.testing.assert_allclose(inception_score(logits, from_logits=True, num_splits=1).mean, 5.0)


def test_the_shuffled_score_does_not_depend_on_the_order_of_rows():
    shuffled = PROBABILITIES[RNG.permutation(203)]
    np.testing.assert_allclose(
        inception_score(shuffled).mean, inception_score(PROBABILITIES).mean, rtol=1e-12
    )


def test_the_streaming_score_equals_the_pure_function():
    metric = InceptionScore()
    for start in range(0, 203, 7):
        metric.update_state(PROBABILITIES[start : start + 7])
    np.testing.assert_allclose(metric.result(), inception_score(PROBABILITIES).mean, rtol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_precision_and_recall_equal_loops(k):
    estimate = precision_recall(REAL, FAKE, k=k)
    np.testing.assert_allclose(estimate.precision, reference.share_on_manifold(FAKE, REAL, k))
    np.testing.assert_allclose(estimate.recall, reference.share_on_manifold(REAL, FAKE, k))


def test_equal_samples_have_precision_and_recall_one():
    estimate = precision_recall(REAL, REAL)
    assert (estimate.precision, estimate.recall) == (1.0, 1.0)


def test_distant_samples_have_precision_and_recall_zero():
    estimate = precision_recall(REAL, REAL + 100)
    assert (estimate.precision, estimate.recall) == (0.0, 0.0)


def test_a_collapsed_sample_is_precise_without_recall():
    collapsed = REAL[:1] + 1e-3 * FAKE
    estimate = precision_recall(REAL, collapsed)
    assert estimate.precision > 0.9 and estimate.recall < 0.1


def test_the_streaming_manifolds_equal_the_pure_function():
    metric = PrecisionRecall(5)
    metric.update_state(REAL[:20], FAKE[:31])
    metric.update_state(REAL[20:], FAKE[31:])
    expected = precision_recall(REAL, FAKE, k=5)
    np.testing.assert_allclose(metric.result()["precision"], expected.precision, rtol=1e-6)
    np.testing.assert_allclose(metric.result()["recall"], expected.recall, rtol=1e-6)


@pytest.mark.parametrize("weights", [[0.2989, 0.587, 0.114], [0.5, 0.5], [1.0]], ids=["rgb", "two", "grey"])
def test_sharpness_equals_a_loop_over_pixels(weights):
    images = RNG.rand(4, 6, 7, len(weights))
    values = [reference.laplace_variance(image @ weights) for image in images]
    estimate = sharpness(images)
    np.testing.assert_allclose(estimate.mean, np.mean(values), rtol=1e-5)
    np.testing.assert_allclose(estimate.minimum, np.min(values), rtol=1e-5)
    np.testing.assert_allclose(estimate.standard_error, np.std(values, ddof=1) / 2, rtol=1e-5)


def test_a_plane_has_no_sharpness():
    ramp = np.arange(8.0)[None, :, None, None] * np.ones((2, 8, 8, 1))
    np.testing.assert_allclose(sharpness(ramp).mean, 0.0, atol=1e-10)


def test_blur_lowers_sharpness():
    images = RNG.rand(5, 12, 12, 1)
    blurred = (images[:, 1:] + images[:, :-1]) / 2
    assert sharpness(blurred).mean < sharpness(images).mean
