"""Historical averaging and parameter averages: values over several steps, the bilinear game, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_improved_gan as twin
from tfmmd.layers import ParameterAverage
from tfmmd.penalties import HistoricalAveraging

POINTS = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)


def variables():
    return [keras.Variable(np.zeros(2, np.float32)), keras.Variable(np.zeros((3, 1), np.float32))]


def put(theta, point):
    theta[0].assign(point[:2]), theta[1].assign(point[2:, None])


def test_penalty_and_gradient_are_the_twins_at_every_step():
    theta, history = variables(), HistoricalAveraging(weight=0.7)
    history.follow(theta)
    for t, point in enumerate(POINTS):
        put(theta, point)
        history.update(theta)
        with tf.GradientTape() as tape:
            cost = history.cost(theta)
        gradient = np.concatenate([np.ravel(g) for g in tape.gradient(cost, [v.value for v in theta])])
        expected, expected_gradient = twin.historical_averaging(POINTS[: t + 1], 0.7)
        np.testing.assert_allclose(cost, expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-6)


def play_bilinear_game(weight, steps=4000, rate=0.05):
    """The distance from the equilibrium after simultaneous descent on min_x max_y x y from (1, 1)."""
    x, y = keras.Variable([1.0]), keras.Variable([1.0])
    histories = [HistoricalAveraging(weight), HistoricalAveraging(weight)]
    for history, player in zip(histories, (x, y)):
        history.follow([player])

    @tf.function
    def step():
        for history, player in zip(histories, (x, y)):
            history.update([player])
        with tf.GradientTape(persistent=True) as tape:
            game = x.value[0] * y.value[0]
            costs = game + histories[0].cost([x]), -game + histories[1].cost([y])
        moves = tape.gradient(costs[0], x.value), tape.gradient(costs[1], y.value)
        x.assign_sub(rate * moves[0])
        y.assign_sub(rate * moves[1])

    for _ in range(steps):
        step()
    return float(np.hypot(x.numpy()[0], y.numpy()[0]))


def test_plain_descent_on_the_bilinear_game_runs_away():
    assert play_bilinear_game(weight=0.0) > 100.0


def test_historical_averaging_draws_the_bilinear_game_towards_its_equilibrium():
    distances = [play_bilinear_game(weight=1.0, steps=steps) for steps in (200, 1000, 4000)]
    assert np.sqrt(2.0) > distances[0] > distances[1] > distances[2]
    # a mean over all history follows slowly: the distance falls like t**-0.2
    np.testing.assert_allclose(np.diff(np.log(distances)) / np.log([5.0, 4.0]), -0.2, atol=0.03)


def test_average_without_decay_is_the_mean_over_history():
    theta, average = variables(), ParameterAverage()
    average.follow(theta)
    for point in POINTS:
        put(theta, point)
        average.update(theta)
    np.testing.assert_allclose(average.averages[0], POINTS[:, :2].mean(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("decay", [0.5, 0.99, 0.9999])
def test_average_with_decay_is_the_bias_corrected_one(decay):
    theta, average = variables(), ParameterAverage(decay)
    average.follow(theta)
    for t, point in enumerate(POINTS):
        put(theta, point)
        average.update(theta)
        expected = twin.bias_corrected_average(POINTS[: t + 1, :2], decay)
        np.testing.assert_allclose(average.averages[0], expected, rtol=1e-4, atol=1e-5)


def test_reset_forgets_the_history():
    theta, average = variables(), ParameterAverage(0.9)
    average.follow(theta)
    average.update(theta)
    put(theta, POINTS[0])
    average.reset(theta)
    put(theta, POINTS[1])
    average.update(theta)
    np.testing.assert_allclose(average.averages[0], POINTS[1, :2], rtol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, 2.0])
def test_decay_outside_of_zero_to_one_is_refused(decay):
    with pytest.raises(ValueError, match="decay"):
        ParameterAverage(decay)


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match="weight"):
        HistoricalAveraging(-1.0)


@pytest.mark.parametrize("layer", [HistoricalAveraging(0.3), ParameterAverage(0.9)], ids=lambda x: x.name)
def test_config_round_trip(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_an_average_is_not_taken_of_other_variables():
    theta, average = variables(), ParameterAverage()
    average.follow(theta)
    with pytest.raises(ValueError, match="the variables that it was made for.*Freeze"):
        average.update(theta[1:])


@pytest.mark.parametrize("use", [HistoricalAveraging.cost, HistoricalAveraging.update])
def test_a_history_that_follows_nothing_yet_is_refused(use):
    with pytest.raises(ValueError, match="follow"):
        use(HistoricalAveraging(), variables())


def test_a_penalty_of_other_variables_is_refused():
    theta, history = variables(), HistoricalAveraging()
    history.follow(theta)
    with pytest.raises(ValueError, match="the variables that it was made for"):
        history.cost(theta[1:])
