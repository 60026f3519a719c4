"""The objectives of Improved GAN: values against twins, extreme logits, the linear-kernel MMD."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_improved_gan as twin
from tfmmd import discrepancies, kernels, objectives

RNG = np.random.default_rng(3)
REAL, FAKE, LABELLED = (RNG.normal(size=(6, 4)) * 3 for _ in range(3))
LABELS = np.array([0, 3, 1, 2, 0, 3])


def test_labelled_cost_is_the_softmax_over_the_classes():
    value = objectives.SemiSupervised().labelled_cost(tf.constant(LABELLED), tf.constant(LABELS))
    np.testing.assert_allclose(value, twin.labelled_cost(LABELLED, LABELS), rtol=1e-9)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (1.0, 1.0), (1.0, 0.2)])
def test_critic_cost_is_the_softmax_with_a_fake_class(weights):
    value = objectives.SemiSupervised(*weights).critic_cost(tf.constant(REAL), tf.constant(FAKE))
    np.testing.assert_allclose(value, twin.unlabelled_cost(REAL, FAKE, *weights), rtol=1e-9)


def test_one_logit_gives_the_original_game():
    real, fake = tf.constant(REAL[:, :1]), tf.constant(FAKE[:, :1])
    expected = objectives.NonSaturating().critic_cost(real, fake)
    np.testing.assert_allclose(objectives.SemiSupervised().critic_cost(real, fake), expected, rtol=1e-9)


def test_generator_cost_falls_when_fakes_look_more_real():
    objective = objectives.SemiSupervised()
    assert objective.generator_cost(None, tf.constant(FAKE + 1.0)) < objective.generator_cost(None, FAKE)


def test_gradients_point_to_more_evidence_for_real_rows_and_less_for_fakes():
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        cost = objectives.SemiSupervised().critic_cost(real, fake)
    of_real, of_fake = tape.gradient(cost, [real, fake])
    assert np.all(of_real < 0.0) and np.all(of_fake > 0.0)


def test_gradients_match_finite_differences():
    objective = objectives.SemiSupervised()

    def cost(labelled, real, fake):
        return objective.labelled_cost(labelled, LABELS) + objective.critic_cost(real, fake)

    exact, numeric = tf.test.compute_gradient(cost, [tf.constant(x) for x in (LABELLED, REAL, FAKE)])
    for a, b in zip(exact, numeric):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_extreme_logits_give_finite_costs_and_gradients(size, dtype):
    objective = objectives.SemiSupervised()
    logits = tf.constant([[size, -size, 0.0, size], [size, size, size, size]], dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        cost = objective.labelled_cost(logits, [1, 2]) + objective.critic_cost(logits, logits)
        cost += objective.generator_cost(logits, logits)
    assert np.isfinite(cost) and np.all(np.isfinite(tape.gradient(cost, logits)))


def test_evidence_at_extreme_logits_is_their_maximum():
    logits = tf.constant([[1e4, -1e4, 3.0], [-1e4, -1e4, -2e4]], tf.float64)
    expected = [1e4, -1e4 + np.log(2.0)]
    np.testing.assert_allclose(objectives.SemiSupervised().log_evidence(logits), expected, rtol=1e-12)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_feature_matching_is_the_twins(norm):
    value = objectives.FeatureMatching(norm)(REAL.astype(np.float32), FAKE[:4].astype(np.float32))
    np.testing.assert_allclose(value, twin.feature_matching(REAL, FAKE[:4], norm), rtol=1e-5)


def test_squared_feature_matching_is_the_linear_kernels_mmd():
    x, y = REAL.astype(np.float32), FAKE.astype(np.float32)
    mmd2 = discrepancies.mmd2(x, y, kernels.Linear(), estimator="biased")
    np.testing.assert_allclose(objectives.FeatureMatching("l2")(x, y), mmd2 / 4.0, rtol=1e-5)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_feature_matching_has_a_finite_gradient_at_equal_samples(norm):
    x = tf.constant(REAL, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        cost = objectives.FeatureMatching(norm)(tf.stop_gradient(x), x)
    assert float(cost) == 0.0 and np.all(np.isfinite(tape.gradient(cost, x)))


@pytest.mark.parametrize(
    "objective",
    [objectives.SemiSupervised(1.0, 0.25), objectives.FeatureMatching("l1")],
    ids=lambda o: type(o).__name__,
)
def test_config_round_trip(objective):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert type(again) is type(objective) and again.get_config() == objective.get_config()


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="l1"):
        objectives.FeatureMatching("l3")


@pytest.mark.parametrize("target", [0.0, 1.5, -0.1])
def test_smoothing_outside_of_zero_to_one_is_refused(target):
    with pytest.raises(ValueError, match="real_target"):
        objectives.NonSaturating(target)
