"""What every metric keeps: config round trip, reset, merge, any batch size, clear errors, replicas."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd import metrics, priors

RNG = np.random.RandomState(17)
REAL, FAKE = RNG.standard_normal((2, 60, 4))
PROBABILITIES = RNG.dirichlet(np.ones(5), 60)
SQUARE = metrics.GaussianLikelihood(lambda z: z**2, 0.5)
TWO_SAMPLES = {
    "kid": lambda: metrics.KernelInceptionDistance(3, 20),
    "fid": lambda: metrics.FrechetInceptionDistance(4),
    "precision_recall": lambda: metrics.PrecisionRecall(3),
}
ALL = {
    **{name: (make, (REAL, FAKE)) for name, make in TWO_SAMPLES.items()},
    "inception_score": (lambda: metrics.InceptionScore(2), (PROBABILITIES,)),
    "parzen": (lambda: metrics.ParzenLogLikelihood(REAL, bandwidths=0.5), (FAKE,)),
    "sharpness": (metrics.Sharpness, (REAL.reshape(60, 2, 2)[:, [0, 1, 0]][:, :, [0, 1, 0]],)),
    "sampled": (
        lambda: metrics.SampledLogLikelihood(SQUARE, metrics.latent_draws(priors.Normal(4)), num_samples=9),
        (np.float32(FAKE),),
    ),
    "importance": (
        lambda: metrics.ImportanceLogLikelihood(
            lambda x: (x / 2, tf.zeros_like(x)), metrics.standard_normal_log_prob, SQUARE, num_draws=3
        ),
        (np.float32(FAKE),),
    ),
}
PURE = {
    "kid": lambda x, y: metrics.kernel_inception_distance(x, y, subset_size=5),
    "fid": metrics.frechet_inception_distance,
    "precision_recall": metrics.precision_recall,
}
each = pytest.mark.parametrize("name", ALL)
each_two_samples = pytest.mark.parametrize("name", PURE)


def value(metric):
    return np.stack(list(tf.nest.flatten(metric.result())))


def filled(name, batch_size=60):
    make, data = ALL[name]
    metric = make()
    for start in range(0, 60, batch_size):
        metric.update_state(*(x[start : start + batch_size] for x in data))
    return metric


@each
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_the_result_does_not_depend_on_the_batch_size(name, batch_size):
    np.testing.assert_allclose(value(filled(name, batch_size)), value(filled(name)), rtol=1e-6)


@each
def test_the_config_round_trip_keeps_settings(name):
    metric = ALL[name][0]()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric) and again.get_config() == metric.get_config()


@each
def test_reset_forgets_everything(name):
    metric = filled(name)
    expected = value(metric)
    metric.update_state(*(x + 0 for x in ALL[name][1]))
    metric.reset_state()
    metric.update_state(*ALL[name][1])
    np.testing.assert_allclose(value(metric), expected, rtol=1e-7)


@each
def test_updates_inside_a_graph_count(name):
    make, data = ALL[name]
    metric = make()
    step = tf.function(metric.update_state)
    for part in (slice(0, 30), slice(30, 60)):
        step(*(tf.constant(x[part]) for x in data))
    np.testing.assert_allclose(value(metric), value(filled(name)), rtol=1e-6)


@each
def test_the_result_inside_a_graph_is_the_eager_one(name):
    metric = filled(name)
    result = tf.function(metric.result)()
    np.testing.assert_allclose(np.stack(list(tf.nest.flatten(result))), value(metric), rtol=1e-6)


@each
def test_merged_metrics_equal_one_metric(name):
    make, data = ALL[name]
    parts = [make(), make()]
    parts[0].update_state(*(x[:25] for x in data))
    parts[1].update_state(*(x[25:] for x in data))
    parts[0].merge_state(parts[1:])
    np.testing.assert_allclose(value(parts[0]), value(filled(name)), rtol=1e-6)


@each
def test_a_metric_without_data_says_so(name):
    with pytest.raises(ValueError, match="Call update_state first"):
        ALL[name][0]().estimate()


@each
def test_the_estimate_becomes_plain_json(name):
    import json

    record = filled(name).estimate().to_dict()
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("name", ["sampled", "importance"])
def test_a_loaded_likelihood_metric_asks_for_its_functions(name):
    metric = ALL[name][0]()
    again = type(metric).from_config(metric.get_config())
    again.update_state(np.float32(FAKE))
    with pytest.raises(ValueError, match="are not saved: set the attributes"):
        again.estimate()


@pytest.mark.parametrize(
    "name, pure",
    [
        ("sharpness", lambda x: metrics.sharpness(x)),
        (
            "sampled",
            lambda x: metrics.sampled_log_likelihood(
                x, SQUARE, metrics.latent_draws(priors.Normal(4)), num_samples=9
            ),
        ),
    ],
)
def test_the_streaming_value_and_error_are_those_of_the_pure_function(name, pure):
    streamed, whole = filled(name, 7).estimate(), pure(ALL[name][1][0])
    np.testing.assert_allclose(streamed.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(streamed.standard_error, whole.standard_error, rtol=1e-6)


@each_two_samples
@pytest.mark.parametrize("fake", [np.ones((60, 4)), np.full((60, 4), 2.0)], ids=["identical", "apart"])
def test_constant_features_give_finite_numbers(name, fake):
    record = PURE[name](np.ones((60, 4)), fake).to_dict()
    numbers = [v for k, v in record.items() if isinstance(v, float) and k != "standard_error"]
    assert numbers and np.isfinite(numbers).all()


@each_two_samples
def test_identical_sets_give_finite_numbers(name):
    record = PURE[name](REAL, REAL).to_dict()
    assert all(np.isfinite(v) for v in record.values() if isinstance(v, float))


@each_two_samples
def test_features_of_different_size_are_refused(name):
    with pytest.raises(ValueError, match="same number of features.*Received"):
        PURE[name](REAL, FAKE[:, :3])


@each_two_samples
def test_images_are_refused_for_features(name):
    with pytest.raises(ValueError, match=r"must be features of shape \[n, d\].*extractor"):
        PURE[name](REAL.reshape(60, 2, 2, 1), FAKE)


@each_two_samples
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_counted_and_placed(name, bad):
    x = FAKE.copy()
    x[7, 2] = x[9, 1] = bad
    with pytest.raises(ValueError, match=r"`fake` must be finite.*2 NaN or inf of 240.*index \(7, 2\)"):
        PURE[name](REAL, x)


@each_two_samples
def test_no_rows_are_refused(name):
    with pytest.raises(ValueError, match="at least one row"):
        PURE[name](REAL, FAKE[:0])


@each_two_samples
def test_float16_features_are_accepted(name):
    assert np.isfinite(list(PURE[name](np.float16(REAL), np.float16(FAKE)).to_dict().values())[0])


def test_probabilities_that_do_not_sum_to_one_are_counted_and_placed():
    rows = PROBABILITIES.copy()
    rows[3] *= 2
    with pytest.raises(ValueError, match="1 of 60 rows are not, the first is row 3 .sum 2"):
        metrics.inception_score(rows)


def test_logits_for_probabilities_are_refused_with_the_cure():
    with pytest.raises(ValueError, match="from_logits=True"):
        metrics.inception_score(RNG.standard_normal((20, 5)))


def test_fewer_rows_than_splits_are_refused():
    with pytest.raises(ValueError, match="10 splits needs at least 10 rows"):
        metrics.inception_score(PROBABILITIES[:9])


def test_a_streaming_fid_of_another_size_is_refused():
    with pytest.raises(ValueError, match="must have num_features=5"):
        metrics.FrechetInceptionDistance(5).update_state(REAL)


@pytest.mark.parametrize("images", [np.zeros((3, 2, 2, 1)), np.zeros((3, 8))])
def test_sharpness_refuses_what_has_no_pixels(images):
    with pytest.raises(ValueError, match="3 x 3 pixels|must have rank"):
        metrics.sharpness(images)


@pytest.mark.distributed
def test_two_replicas_give_the_numbers_of_one_device():
    script = Path(__file__).with_name("replica_run.py")
    root = script.parent.parent.parent
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
