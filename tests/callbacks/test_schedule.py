"""The learning rate scheduler: the test's numbers, its decisions, its memory, its refusals."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.systems import CODE, dense_critic, digits, generator
from tfmmd import callbacks, discrepancies, kernels, models, priors
from tfmmd.callbacks.schedule import relative_statistic

ROWS = 12


def scheduler(**kwargs):
    settings = {"every": 2, "num_samples": ROWS, "window": 2, "patience": 2, "keep": 1, **kwargs}
    return callbacks.KIDLearningRate(digits(ROWS), **settings)


def model(rate=0.01):
    keras.utils.set_random_seed(0)
    made = models.WGANGP(generator(), dense_critic(1), priors.Uniform(CODE))
    made.compile(
        generator_optimizer=keras.optimizers.Adam(rate),
        critic_optimizer=keras.optimizers.Adam(2 * rate),
        critic_steps=1,
    )
    return made


def attached(callback, rate=0.01):
    callback.set_model(model(rate))
    return callback


def rates(callback):
    return [float(o.learning_rate) for o in callback.optimizers()]


def sums(callback, mean, seed=0):
    return callback.sums(tf.constant(np.random.default_rng(seed).normal(mean, 0.1, (ROWS, 64)), tf.float32))


# -- the test ------------------------------------------------------------------------------------------------


def test_statistic_is_the_difference_of_two_unbiased_mmds():
    callback = scheduler()
    new, old = np.random.default_rng(1).normal(size=(2, ROWS, 64)).astype(np.float32)
    statistic, _ = relative_statistic(callback.sums(new), callback.sums(old), ROWS)
    kernel = kernels.Polynomial()
    expected = discrepancies.mmd2(callback.real, new, kernel) - discrepancies.mmd2(callback.real, old, kernel)
    np.testing.assert_allclose(statistic, expected, rtol=1e-4)


@pytest.mark.parametrize("floor", [0.0, 1e-5])
def test_p_value_is_that_of_the_relative_test(floor):
    callback = scheduler(variance_floor=floor)
    new, old = np.random.default_rng(1).normal(0.2, 0.1, size=(2, ROWS, 64)).astype(np.float32)
    expected = discrepancies.relative_test(
        callback.real, new, old, kernels.Polynomial(), variance_floor=floor
    )
    value = callback.p_value(callback.sums(new), callback.sums(old))
    np.testing.assert_allclose(value, expected.p_value, rtol=1e-6)


def test_variance_is_that_of_repeated_draws():
    rng = np.random.default_rng(2)
    kernel, rows, statistics, variances = kernels.Gaussian((1.0,)), 60, [], []
    for _ in range(300):
        real, new, old = rng.normal(size=(3, rows, 2)) + np.array([0.0, 0.4, 0.6]).reshape(3, 1, 1)
        callback = callbacks.KIDLearningRate(real, num_samples=rows, kernel=kernel)
        value, variance = relative_statistic(callback.sums(new), callback.sums(old), rows)
        statistics.append(value)
        variances.append(variance)
    np.testing.assert_allclose(np.mean(variances), np.var(statistics), rtol=0.3)  # 300 repetitions: 8 % error


def test_p_value_of_the_same_samples_is_one_half():
    callback = scheduler()
    same = sums(callback, 0.0)
    np.testing.assert_allclose(callback.p_value(same, same), 0.5)


def test_p_value_is_small_for_better_samples_and_large_for_worse():
    callback = scheduler()
    near, far = callback.sums(callback.features(digits(2 * ROWS)[ROWS:])), sums(callback, 3.0)
    assert callback.p_value(near, far) < 0.01 and callback.p_value(far, near) > 0.99


def test_a_high_variance_floor_hides_improvement():
    near, far = digits(2 * ROWS)[ROWS:], sums(scheduler(), 3.0)
    floored = scheduler(variance_floor=1e12)
    assert abs(floored.p_value(floored.sums(floored.features(near)), far) - 0.5) < 0.01


# -- decisions -----------------------------------------------------------------------------------------------


def test_rates_fall_after_patience_failures_and_memory_shrinks():
    callback = attached(scheduler(window=2, patience=2, keep=1, factor=0.5))
    old = [{"name": i} for i in range(5)]
    callback.decide(old[0], None)
    callback.decide(old[1], None)
    assert "no better" in callback.decide(old[2], 0.5)
    assert callback.memory == old[:2] and rates(callback) == pytest.approx([0.01, 0.02])
    assert "learning rates now 0.005 and 0.01" in callback.decide(old[3], 0.11)
    assert callback.memory == [old[3]] and callback.chances == 0
    assert rates(callback) == pytest.approx([0.005, 0.01])


def test_improvement_moves_the_memory_on_and_forgives():
    callback = attached(scheduler(window=2, patience=2))
    callback.memory, callback.chances = ["a", "b"], 1
    assert "better" in callback.decide("c", 0.1)
    assert callback.memory == ["b", "c"] and callback.chances == 0


def test_rates_stop_at_their_floor():
    callback = attached(scheduler(min_learning_rate=0.009))
    callback.lower_rates()
    callback.lower_rates()
    assert rates(callback) == pytest.approx([0.009, 0.009])


def test_a_rate_below_the_floor_is_not_raised():
    callback = attached(scheduler(min_learning_rate=0.5))
    before = rates(callback)
    callback.lower_rates()
    assert rates(callback) == pytest.approx(before) and max(before) < 0.5


def test_it_evaluates_every_so_many_generator_steps():
    callback = scheduler(every=2, window=2)
    model().fit(digits(56), batch_size=8, callbacks=[callback], verbose=0)  # 7 generator steps
    assert [d["step"] for d in callback.decisions] == [2, 4, 6]
    assert [d["p_value"] is None for d in callback.decisions] == [True, True, False]
    assert "KID" in callback.decisions[-1]["text"]


def test_extractor_gets_batches_and_its_features_are_judged():
    sizes = []

    def extractor(images):
        sizes.append(len(images))
        return tf.reduce_mean(images, axis=(1, 3))

    callback = scheduler(extractor=extractor, batch_size=5)
    assert callback.real.shape == (ROWS, 8) and sizes == [5, 5, 2]


# -- memory --------------------------------------------------------------------------------------------------


def test_state_is_plain_json_and_restores_the_same_decisions():
    through = scheduler(every=1, window=2, patience=1)
    data = digits(64)
    model(1e-6).fit(data, batch_size=8, epochs=2, shuffle=False, callbacks=[through], verbose=0)

    half, first = model(1e-6), scheduler(every=1, window=2, patience=1)
    half.fit(data, batch_size=8, shuffle=False, callbacks=[first], verbose=0)
    second = scheduler(every=1, window=2, patience=1)
    second.restore(json.loads(json.dumps(first.state())))
    half.fit(data, batch_size=8, shuffle=False, callbacks=[second], verbose=0)

    assert any("learning rates now" in d["text"] for d in through.decisions)
    assert second.decisions == through.decisions


def test_decisions_are_in_tensorboard_and_in_the_log(tmp_path, caplog):
    callback = attached(scheduler(log_dir=tmp_path))
    with caplog.at_level("INFO", logger="tfmmd.callbacks.schedule"):
        for step in (2, 4, 6):
            callback.evaluate(step)
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    names = {"kid", "learning_rate", "p_value", "decision"}
    assert {f"kid_learning_rate/{name}" for name in names} <= set(events.Tags()["tensors"])
    assert "Step 6: KID" in caplog.text


# -- refusals ------------------------------------------------------------------------------------------------


def test_real_set_smaller_than_the_sample_is_refused():
    with pytest.raises(ValueError, match="num_samples=2048.*8 samples.*smaller num_samples"):
        callbacks.KIDLearningRate(digits(8))


def test_scheduled_learning_rates_are_refused():
    decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
    made = models.WGANGP(generator(), dense_critic(1), priors.Uniform(CODE))
    made.compile(generator_optimizer=keras.optimizers.SGD(decay), critic_optimizer="sgd", critic_steps=1)
    with pytest.raises(ValueError, match="constant learning rate"):
        made.fit(digits(8), batch_size=8, callbacks=[scheduler()], verbose=0)


@pytest.mark.parametrize(
    "setting", [{"factor": 1.0}, {"threshold": 0.0}, {"every": 0}, {"patience": 0}, {"min_learning_rate": 0}]
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        scheduler(**setting)


def test_the_file_of_decisions_holds_them_with_growing_seconds(tmp_path):
    callback = scheduler(every=2, window=2, directory=tmp_path)
    model().fit(digits(56), batch_size=8, callbacks=[callback], verbose=0)  # 7 generator steps
    record = json.loads((tmp_path / "kid_learning_rate.json").read_text())
    assert record["decisions"] == callback.decisions
    assert record["seconds"] == sorted(record["seconds"]) and len(record["seconds"]) == 3
    assert record["seconds"][0] > 0
