"""The bias story: unbiased for a fixed critic, biased for a learned one; FID biased, KID flat."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfmmd import discrepancies, kernels, metrics, objectives

SCALES = [100, pytest.param(4000, marks=pytest.mark.slow)]
D, M, V = 2, 50, 1.0  # dimensions, rows, variance of the Gaussian kernel
MU = np.array([1.0, 0.0])
KERNEL = kernels.Gaussian((V**0.5,))
EQUAL = (V / (V + 2)) ** (D / 2)  # E k(x, x') for N(0, I)
DECAY = math.exp(-(MU @ MU) / (2 * (V + 2)))
MMD2 = 2 * EQUAL * (1 - DECAY)


def repeated(statistic, *batches):
    """The statistic of every repetition in arrays `[repetitions, ...]`, as NumPy arrays."""
    graph = tf.function(lambda: tf.map_fn(lambda b: statistic(*b), batches, fn_output_signature=tf.float64))
    return graph().numpy()


def gaussians(repetitions, rows=M, shift=MU, seed=0):
    x, y = np.random.default_rng(seed).normal(size=(2, repetitions, rows, D))
    return tf.constant(x), tf.constant(y + shift)


def check_mean(values, expected, errors=4):
    """Checks a mean over repetitions within so many standard errors."""
    error = values.std(axis=0) / math.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected) < errors * error), (values.mean(0), expected, error)


# -- a fixed critic ------------------------------------------------------------------------------------------


def test_closed_form_is_that_of_the_sheet():
    np.testing.assert_allclose(MMD2, 0.102346, atol=1e-6)


@pytest.mark.parametrize("repetitions", SCALES)
def test_unbiased_estimate_has_the_closed_form_as_mean(repetitions):
    objective = objectives.MMD(KERNEL)
    check_mean(repeated(objective.generator_cost, *gaussians(repetitions)), MMD2)


@pytest.mark.parametrize("repetitions", SCALES)
def test_biased_estimate_is_too_large_by_the_diagonal(repetitions):
    objective = objectives.MMD(KERNEL, estimator="biased")
    values = repeated(objective.generator_cost, *gaussians(repetitions))
    check_mean(values, MMD2 + 2 / M * (1 - EQUAL))


@pytest.mark.parametrize("repetitions", SCALES)
def test_gradient_of_the_unbiased_estimate_is_unbiased(repetitions):
    def slope(x, y):
        with tf.GradientTape() as tape:
            shift = tf.zeros([D], tf.float64)
            tape.watch(shift)
            cost = objectives.MMD(KERNEL).generator_cost(x, y + shift)
        return tape.gradient(cost, shift)

    values = repeated(slope, *gaussians(repetitions))
    check_mean(values[:, 0], 2 * EQUAL * DECAY * MU[0] / (V + 2))
    check_mean(values[:, 1], 0.0)


@pytest.mark.parametrize("theta", [0.0, 0.3, 2.0])
@pytest.mark.parametrize(
    "kernel, expected",
    [
        (kernels.Gaussian((1.5,)), lambda t: 2 * (1 - math.exp(-t * t / (2 * 1.5**2)))),
        (kernels.RationalQuadratic((0.2,)), lambda t: 2 * (1 - (1 + t * t / 0.4) ** -0.2)),
        (kernels.Energy(), lambda t: 2 * abs(t)),
        (kernels.Linear(), lambda t: t * t),
    ],
    ids=["rbf", "rq", "distance", "linear"],
)
def test_two_points_have_their_closed_form(kernel, expected, theta):
    real, fake = tf.zeros([3, 1], tf.float64), tf.fill([4, 1], tf.constant(theta, tf.float64))
    value = objectives.MMD(kernel).generator_cost(real, fake)
    np.testing.assert_allclose(value, expected(theta), atol=1e-7)  # the root of Energy is floored at 0


# -- a learned critic ----------------------------------------------------------------------------------------


def learned_slope(x, y):
    """The generator's gradient in theta after the critic t x, |t| <= 1, was optimised on the same rows."""
    game = objectives.Wasserstein()
    t = tf.where(game.critic_cost(x, y) < game.critic_cost(-x, -y), 1.0, -1.0)
    t = tf.cast(t, tf.float64)
    with tf.GradientTape() as tape:
        theta = tf.zeros([], tf.float64)
        tape.watch(theta)
        cost = game.generator_cost(t * x, t * (y + theta))
    return tape.gradient(cost, theta)


@pytest.mark.parametrize("repetitions", SCALES)
@pytest.mark.parametrize("theta", [0.05, 0.2])
def test_gradient_through_a_learned_critic_shrinks_to_an_error_function(theta, repetitions):
    x, y = np.random.default_rng(1).normal(size=(2, 4 * repetitions, 64, 1))
    values = repeated(learned_slope, tf.constant(x), tf.constant(y + theta))
    spread = math.sqrt(2 / 64)
    check_mean(values, math.erf(theta / (spread * math.sqrt(2))))  # the true gradient is 1


def test_learned_critic_sees_a_distance_between_equal_laws():
    x, y = np.random.default_rng(2).normal(size=(2, 4000, 64, 1))
    plug_in = np.abs(x.mean(1) - y.mean(1))[:, 0]
    check_mean(plug_in, math.sqrt(2 * (2 / 64) / math.pi))


# -- measures ------------------------------------------------------------------------------------------------


def test_fid_falls_with_the_sample_size_where_kid_stays_at_zero():
    rng = np.random.default_rng(3)
    fid, kid = [], []
    for n in (100, 400, 1600):
        pairs = [rng.normal(size=(2, n, 32)).astype(np.float32) for _ in range(6)]
        fid.append(np.mean([float(metrics.frechet_inception_distance(x, y)) for x, y in pairs]))
        kid.append([discrepancies.mmd2(x, y, kernels.Polynomial()).numpy() for x, y in pairs])
    assert fid[0] > 2 * fid[1] > 4 * fid[2] > 0
    for values in kid:
        check_mean(np.array(values, np.float64), 0.0, errors=4)


@pytest.mark.parametrize("repetitions", [400, pytest.param(4000, marks=pytest.mark.slow)])
def test_variance_estimate_is_ten_percent_low_at_fifty_rows(repetitions):
    def value_and_variance(x, y):
        return tf.stack(discrepancies.mmd2_and_variance(x, y, KERNEL))

    values = repeated(value_and_variance, *gaussians(repetitions, seed=5))
    np.testing.assert_allclose(values[:, 0].var(), 2.25e-3, rtol=0.25 if repetitions < 1000 else 0.08)
    np.testing.assert_allclose(values[:, 1].mean(), 2.03e-3, rtol=0.06 if repetitions < 1000 else 0.02)
