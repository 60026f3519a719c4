"""Penalties: values against NumPy twins, gradients through them, configs, refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_gan as twin
from tfmmd import kernels, layers, objectives, penalties
from tfmmd.penalties import Move

RQ = (0.2, 1.0, 5.0)
SHAPE = (3, 2, 2)
PENALTIES = {
    "gradient-norm": penalties.GradientNorm(10.0),
    "gradient-norm-columns": penalties.GradientNorm(10.0, penalty_axes=(1,)),
    "witness": penalties.WitnessGradient(1.0),
    "activation": penalties.ActivationL2(0.5),
    "clip": penalties.WeightClip(0.01),
}
ALL = pytest.mark.parametrize("name", PENALTIES)
rng = np.random.default_rng(3)
WEIGHTS = rng.normal(size=(12, 4)) * 0.5
REAL, FAKE = rng.normal(size=(4, *SHAPE)), rng.normal(size=(4, *SHAPE)) + 0.5
SHARES = rng.uniform(size=4)


def h(rows):
    """A critic in NumPy: rows `[b, 3, 2, 2]` -> tanh(x W) `[b, 4]`."""
    return np.tanh(rows.reshape(len(rows), -1) @ WEIGHTS)


def move(objective, weights=WEIGHTS):
    """The same critic in TensorFlow, with everything a penalty may look at."""

    def critic(rows):
        return tf.tanh(tf.matmul(tf.reshape(rows, [-1, 12]), weights))

    real, fake = tf.constant(REAL), tf.constant(FAKE)
    return Move(
        critic=critic,
        witness=objective.witness,
        real=real,
        fake=fake,
        real_outputs=critic(real),
        fake_outputs=critic(fake),
        activations=[critic(real), critic(fake)],
        noise=lambda rows: tf.constant(SHARES)[:rows],
    )


MMD = objectives.MMD(kernels.RationalQuadratic(RQ) + kernels.Linear())
LOOP_KERNEL = twin.plus(twin.rational_quadratic(RQ), twin.linear)


@pytest.mark.parametrize("axes", [None, (1,), (1, 2)])
def test_witness_penalty_of_an_mmd_equals_the_loops(axes):
    def witness(row):
        return twin.witness(h(row[None])[0], h(REAL), h(FAKE), LOOP_KERNEL)

    value = penalties.WitnessGradient(2.0, penalty_axes=axes)(move(MMD))
    np.testing.assert_allclose(value, 2 * twin.gradient_penalty(witness, REAL, FAKE, SHARES, axes), rtol=1e-6)


def test_witness_penalty_of_a_cramer_critic_pairs_points_with_fakes():
    points = REAL + SHARES.reshape(-1, 1, 1, 1) * (FAKE - REAL)
    norms = []
    for point, fake in zip(points, FAKE):

        def surrogate(row, fake=fake):
            at = h(row[None])[0]
            return twin.norm(at - h(fake[None])[0]) - twin.norm(at)

        norms.append(twin.gradient_penalty(surrogate, point[None], point[None], np.zeros(1)))
    np.testing.assert_allclose(
        penalties.WitnessGradient()(move(objectives.Cramer())), np.mean(norms), rtol=1e-6
    )


@pytest.mark.parametrize("axes", [None, (1,)])
def test_gradient_norm_penalty_equals_the_loops(axes):
    value = penalties.GradientNorm(10.0, penalty_axes=axes)(move(objectives.Wasserstein()))
    expected = twin.gradient_penalty(lambda row: h(row[None])[0, 0], REAL, FAKE, SHARES, axes)
    np.testing.assert_allclose(value, 10 * expected, rtol=1e-6)


def test_gradient_norm_of_a_linear_critic_is_that_of_its_weights():
    weights = np.linspace(-1, 1, 12)[:, None]
    linear = move(objectives.Wasserstein())
    linear = Move(**{**vars(linear), "critic": lambda x: tf.matmul(tf.reshape(x, [-1, 12]), weights)})
    expected = (np.sqrt((weights**2).sum() + 1e-5) - 3) ** 2
    np.testing.assert_allclose(penalties.GradientNorm(1.0, target=3.0)(linear), expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["gradient-norm", "gradient-norm-columns", "witness", "activation"])
def test_gradient_in_the_critics_weights_matches_finite_differences(name):
    @tf.function
    def cost(weights):
        return PENALTIES[name](move(MMD, weights))

    exact, numeric = tf.test.compute_gradient(cost, [tf.constant(WEIGHTS)], delta=1e-5)
    np.testing.assert_allclose(exact[0], numeric[0], atol=1e-6)


@pytest.mark.parametrize("name", ["gradient-norm", "witness"])
def test_penalty_and_gradient_are_finite_for_a_flat_critic(name):
    weights = tf.Variable(np.zeros_like(WEIGHTS))
    with tf.GradientTape() as tape:
        cost = PENALTIES[name](move(MMD, tf.convert_to_tensor(weights)))
    assert np.isfinite(cost) and np.all(np.isfinite(tape.gradient(cost, weights)))


def test_activation_penalty_is_the_sum_of_mean_squares():
    value = penalties.ActivationL2(0.5)(move(MMD))
    np.testing.assert_allclose(value, 0.5 * ((h(REAL) ** 2).mean() + (h(FAKE) ** 2).mean()), rtol=1e-9)


def test_activation_penalty_looks_at_every_activated_layer_and_the_output():
    x = inputs = keras.Input((4,))
    x = keras.layers.Dense(3, "relu", name="first")(x)
    x = keras.layers.Dense(3, name="linear")(x)
    x = keras.layers.LeakyReLU(name="leaky")(x)
    critic = keras.Model(inputs, keras.layers.Dense(2, name="last")(x))
    wanted = penalties.ActivationL2().layer_outputs(critic)
    expected = [critic.get_layer(name).output for name in ("first", "leaky", "last")]
    assert [id(t) for t in wanted] == [id(t) for t in expected]


def test_activated_output_counts_once():
    critic = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "tanh")])
    assert len(penalties.ActivationL2().layer_outputs(critic)) == 1


@pytest.mark.parametrize(
    "hidden",
    [
        layers.WeightNormalization(keras.layers.Dense(3, "relu")),
        keras.layers.SpectralNormalization(keras.layers.Dense(3, "relu")),
        layers.Maxout(3, pieces=2),
        keras.layers.Softmax(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_activation_penalty_finds_wrapped_layers_and_maxout(hidden):
    last = keras.layers.Dense(2)
    critic = keras.Sequential([keras.Input((4,)), hidden, last])
    wanted = penalties.ActivationL2().layer_outputs(critic)
    assert [id(t) for t in wanted] == [id(hidden.output), id(last.output)]


def test_a_model_without_activations_may_stand_in_the_critic():
    rescale = keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(2.0)])
    critic = keras.Sequential(
        [keras.Input((4,)), rescale, keras.layers.Dense(3, "relu"), keras.layers.Dense(2)]
    )
    assert len(penalties.ActivationL2().layer_outputs(critic)) == 2


def test_activation_penalty_refuses_activations_that_it_cannot_see():
    nested = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu")], name="inside")
    for parts, reason in (
        ([nested, keras.layers.Dense(2, "tanh")], r"models \['inside'\].*one model"),
        ([keras.layers.Dense(3), keras.layers.Dense(2)], "a critic with none.*activation_weight=0"),
    ):
        with pytest.raises(ValueError, match=reason):
            penalties.ActivationL2().layer_outputs(keras.Sequential([keras.Input((4,)), *parts]))


def test_activation_penalty_refuses_a_critic_without_layers():
    class Opaque(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="functional.*activation_weight=0"):
        penalties.ActivationL2().layer_outputs(Opaque())


def test_weight_clip_limits_every_weight():
    variable = keras.Variable([-5.0, 0.001, 5.0])
    penalties.WeightClip(0.01).after_step([variable])
    np.testing.assert_allclose(variable, [-0.01, 0.001, 0.01])


@ALL
def test_config_round_trip(name):
    config = keras.saving.serialize_keras_object(PENALTIES[name])
    assert repr(keras.saving.deserialize_keras_object(config)) == repr(PENALTIES[name])


@pytest.mark.parametrize("axes", [(0,), (4,), (1, 7)])
def test_axes_outside_of_a_row_are_refused(axes):
    with pytest.raises(ValueError, match="penalty_axes"):
        penalties.GradientNorm(penalty_axes=axes)(move(MMD))


@pytest.mark.parametrize("make", [penalties.GradientNorm, penalties.WitnessGradient, penalties.ActivationL2])
def test_negative_weight_is_refused(make):
    with pytest.raises(ValueError, match="weight"):
        make(-1.0)
