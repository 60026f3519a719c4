"""Objectives: values against NumPy twins, gradients, signs, awkward points, configs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_gan as twin
from tfmmd import kernels, objectives

RQ = (0.1, 1.0, 10.0)  # of the released code
KERNELS = {
    "rbf": (kernels.Gaussian((2.0, 5.0, 10.0)), twin.gaussian((2.0, 5.0, 10.0))),
    "rq": (kernels.RationalQuadratic(RQ), twin.rational_quadratic(RQ)),
    "rq*": (
        kernels.RationalQuadratic(RQ) + kernels.Linear(),
        twin.plus(twin.rational_quadratic(RQ), twin.linear),
    ),
    "distance": (kernels.Energy(), twin.distance),
    "linear": (kernels.Linear(), twin.linear),
}
OBJECTIVES = {
    "non-saturating": (objectives.NonSaturating(), 1),
    "smoothed": (objectives.NonSaturating(0.9), 1),
    "wasserstein": (objectives.Wasserstein(), 1),
    **{name: (objectives.MMD(kernel), 4) for name, (kernel, _) in KERNELS.items()},
    "mmd-constant-diagonal": (objectives.MMD(KERNELS["rq*"][0], diagonal="constant"), 4),
    "mmd-biased": (objectives.MMD(KERNELS["rbf"][0], estimator="biased"), 4),
    "cramer": (objectives.Cramer(), 4),
    "cramer-reddit": (objectives.Cramer("reddit"), 4),
}
ALL = pytest.mark.parametrize("name", OBJECTIVES)


def outputs(name, rows=5, dtype=np.float64, shift=1.0):
    """Real and fake critic outputs, as many fake batches as the objective takes."""
    objective, size = OBJECTIVES[name]
    rng = np.random.default_rng(7)
    real = rng.normal(size=(rows, size))
    fakes = [rng.normal(size=(rows, size)) + shift for _ in range(objective.fake_batches)]
    return objective, [tf.constant(x, dtype) for x in (real, *fakes)]


@pytest.mark.parametrize("name", KERNELS)
def test_mmd_is_the_u_statistic_of_every_kernel(name):
    kernel, loop = KERNELS[name]
    _, (real, fake) = outputs("rq")
    value = objectives.MMD(kernel).generator_cost(real, fake)
    np.testing.assert_allclose(value, twin.mmd2(real.numpy(), fake.numpy(), loop), rtol=1e-9)


@pytest.mark.parametrize("name", KERNELS)
def test_critic_of_an_mmd_maximises_what_the_generator_minimises(name):
    _, (real, fake) = outputs("rq")
    objective = objectives.MMD(KERNELS[name][0])
    np.testing.assert_allclose(objective.critic_cost(real, fake), -objective.generator_cost(real, fake))


def test_constant_diagonal_leaves_the_linear_trace_in_as_the_released_code():
    kernel, loop = KERNELS["rq*"]
    _, (real, fake) = outputs("rq")
    value = objectives.MMD(kernel, diagonal="constant").generator_cost(real, fake)
    expected = twin.mmd2(real.numpy(), fake.numpy(), loop, diagonal="constant")
    np.testing.assert_allclose(value, expected, rtol=1e-9)


def test_constant_diagonal_changes_nothing_for_a_kernel_of_distance():
    _, (real, fake) = outputs("rq")
    costs = [objectives.MMD(kernels.Gaussian(), diagonal=d).generator_cost(real, fake) for d in DIAGONALS]
    np.testing.assert_allclose(*costs, rtol=1e-12)


DIAGONALS = ("exact", "constant")


@pytest.mark.parametrize("variant", ["paper", "reddit"])
def test_cramer_costs_equal_the_loops(variant):
    _, batches = outputs("cramer")
    objective = objectives.Cramer(variant)
    critic, generator = twin.cramer(*(b.numpy() for b in batches), variant)
    np.testing.assert_allclose(objective.critic_cost(*batches), critic, rtol=1e-9)
    np.testing.assert_allclose(objective.generator_cost(*batches), generator, rtol=1e-9)


def test_cramer_generator_cost_is_the_energy_distance_in_the_mean():
    rng = np.random.default_rng(0)
    real, fake, other = rng.normal(size=(3, 20_000, 1)) + np.array([0.0, 1.0, 1.0]).reshape(3, 1, 1)
    value = objectives.Cramer(epsilon=0.0).generator_cost(*map(tf.constant, (real, fake, other)))
    # 2 E|X - Y| - E|Y - Y'| for N(0, 1), N(1, 1), with E|N(m, 2)| = 2 exp(-m**2 / 4) / sqrt(pi) + m erf(m / 2)
    of_cross = 2 * np.exp(-0.25) / np.sqrt(np.pi) + 0.5204998778
    np.testing.assert_allclose(value, 2 * of_cross - 2 / np.sqrt(np.pi), atol=0.03)  # 4 standard errors


def test_non_saturating_critic_costs_log_two_when_it_cannot_tell():
    zero = tf.zeros([3, 1])
    objective = objectives.NonSaturating()
    np.testing.assert_allclose(objective.critic_cost(zero, zero), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(objective.generator_cost(zero, zero), np.log(2), rtol=1e-6)


@pytest.mark.parametrize("target", [1.0, 0.9, 0.5])
def test_best_constant_critic_is_half_the_target(target):
    objective = objectives.NonSaturating(target)
    logits = tf.Variable([[0.0]], dtype=tf.float64)
    for _ in range(100):
        with tf.GradientTape() as tape:
            cost = objective.critic_cost(logits, logits)
        logits.assign_sub(4.0 * tape.gradient(cost, logits))
    np.testing.assert_allclose(tf.sigmoid(logits), [[target / 2]], rtol=1e-6)


def test_non_saturating_costs_are_cross_entropies():
    _, (real, fake) = outputs("smoothed")
    d_real, d_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    of_real = -0.9 * np.log(d_real) - 0.1 * np.log(1 - d_real)
    objective = objectives.NonSaturating(0.9)
    expected = 0.5 * (of_real.mean() - np.log(1 - d_fake).mean())
    np.testing.assert_allclose(objective.critic_cost(real, fake), expected, rtol=1e-9)
    np.testing.assert_allclose(objective.generator_cost(real, fake), -np.log(d_fake).mean(), rtol=1e-9)


def test_wasserstein_costs_are_differences_of_means():
    real, fake = tf.constant([[1.0], [3.0]]), tf.constant([[10.0], [20.0]])
    np.testing.assert_allclose(objectives.Wasserstein().critic_cost(real, fake), 13.0)
    np.testing.assert_allclose(objectives.Wasserstein().generator_cost(real, fake), -15.0)


@ALL
@pytest.mark.parametrize("player", ["critic_cost", "generator_cost"])
def test_gradient_matches_finite_differences(name, player):
    objective, batches = outputs(name, rows=3)
    cost = tf.function(getattr(objective, player))
    exact, numeric = tf.test.compute_gradient(cost, batches, delta=1e-5)
    for a, b in zip(exact, numeric):
        np.testing.assert_allclose(a, b, atol=1e-7)


@ALL
@pytest.mark.parametrize("player", ["critic_cost", "generator_cost"])
def test_cost_and_gradient_are_finite_at_equal_samples(name, player):
    objective, batches = outputs(name, dtype=np.float32)
    same = tf.Variable(batches[0])
    with tf.GradientTape() as tape:
        cost = getattr(objective, player)(*[same] * len(batches))
    assert np.isfinite(cost) and np.all(np.isfinite(tape.gradient(cost, same)))


@ALL
def test_cost_is_traced_once_for_all_batch_sizes(name):
    objective, _ = outputs(name)
    spec = tf.TensorSpec([None, OBJECTIVES[name][1]], tf.float32)
    graph = tf.function(objective.critic_cost, input_signature=[spec] * (1 + objective.fake_batches))
    for rows in (4, 7):
        _, batches = outputs(name, rows, np.float32)
        np.testing.assert_allclose(graph(*batches), objective.critic_cost(*batches), rtol=1e-4, atol=1e-6)


@ALL
def test_config_round_trip_keeps_the_cost(name):
    objective, batches = outputs(name)
    config = keras.saving.serialize_keras_object(objective)
    again = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(again.critic_cost(*batches), objective.critic_cost(*batches))
    assert repr(again) == repr(objective)


@ALL
def test_witness_is_higher_at_real_rows_after_a_critic_step(name):
    objective, batches = outputs(name, rows=20, shift=3.0)
    with tf.GradientTape() as tape:
        tape.watch(batches[0])
        cost = objective.critic_cost(*batches)
    moved = batches[0] - 1e-3 * tape.gradient(cost, batches[0])  # outputs for real rows, as the critic wants
    assert objective.critic_cost(moved, *batches[1:]) < cost


@pytest.mark.parametrize("name", ["non-saturating", "wasserstein"])
@pytest.mark.parametrize("shape", [(None,), (None, 2), (None, 4, 4, 1)])
def test_critic_output_of_wrong_shape_is_refused(name, shape):
    with pytest.raises(ValueError, match=r"\[b, 1\].*Received.*Dense\(1\)"):
        OBJECTIVES[name][0].check_critic(shape)


@pytest.mark.parametrize("name", ["rq", "cramer"])
def test_critic_features_must_be_rows(name):
    with pytest.raises(ValueError, match=r"\[b, s\].*Received.*Dense\(16\)"):
        OBJECTIVES[name][0].check_critic((None, 4, 4, 1))


@pytest.mark.parametrize("target", [0.0, -1.0, 1.1, float("nan")])
def test_target_outside_of_0_to_1_is_refused(target):
    with pytest.raises(ValueError, match="real_target"):
        objectives.NonSaturating(target)


def test_unknown_choices_name_the_known_ones():
    with pytest.raises(ValueError, match="paper"):
        objectives.Cramer("papre")
    with pytest.raises(ValueError, match="constant"):
        objectives.MMD(kernels.Linear(), diagonal="const")
