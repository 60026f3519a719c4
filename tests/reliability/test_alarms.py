"""The alarms fire on forced divergence and collapse, within stated steps, and stay silent on healthy runs."""

import warnings

import keras
import numpy as np
import pytest

from tests import systems
from tfmmd import callbacks, data, models, networks, priors
from tfmmd.callbacks import checkpoint

SHAPE = systems.SHAPE
EPOCH = 25  # steps between two looks


def gmmn(seed):
    return models.GMMN(networks.gmmn_generator(5, SHAPE, hidden=(64, 64)), priors.Uniform(5), seed=seed)


def vae(seed):
    pair = networks.vae_encoder(SHAPE, 5, hidden=(64,)), networks.vae_decoder(5, SHAPE, hidden=(64,))
    return models.VAE(*pair, seed=seed)


def wae_mmd(seed):
    pair = networks.mlp(SHAPE, (64,), 5), networks.vae_decoder(5, SHAPE, hidden=(64,))
    return models.WAEMMD(*pair, priors.Normal(5), seed=seed)


def mmd_gan(seed):
    pair = (
        networks.gmmn_generator(5, SHAPE, hidden=(64, 64)),
        networks.mlp(SHAPE, (64,), 8, activation="leaky_relu"),
    )
    return models.MMDGAN(*pair, priors.Uniform(5), seed=seed)


ONE_PLAYER = (gmmn, vae, wae_mmd)


def compiled(make, seed=0, rate=3e-3):
    keras.utils.set_random_seed(seed)
    model = make(seed)
    if make in ONE_PLAYER:
        model.compile(optimizer=keras.optimizers.Adam(rate))
    else:
        players = {f"{name}_optimizer": keras.optimizers.Adam(1e-3) for name in ("generator", "critic")}
        model.compile(**players, critic_steps=1)
    return model


def fit(model, x, steps, watchers, seed=0, start=0):
    stream = data.batches(x, 100, seed=seed, start_step=start)
    epochs = {"initial_epoch": start // EPOCH, "epochs": (start + steps) // EPOCH, "steps_per_epoch": EPOCH}
    model.fit(stream, **epochs, verbose=0, callbacks=watchers)


def digits():
    return data.arrays("digits")


# -- divergence --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [gmmn, vae, mmd_gan])
def test_a_learning_rate_that_explodes_is_stopped_within_10_steps(make, tmp_path):
    model = compiled(make)
    for optimizer in checkpoint.optimizers_of(model).values():
        optimizer.learning_rate = 1e30
    guard = callbacks.DivergenceGuard()
    with pytest.raises(callbacks.DivergedError, match="not finite at step"):
        fit(model, digits(), 100, [guard])
    assert guard.step <= 10


def spoil_gradient(model, at_step):
    """Makes the gradient of one step infinite."""
    original = model.process_gradients

    def process(optimizer, gradients):
        big = keras.ops.where(optimizer.iterations == at_step - 1, np.float32("inf"), np.float32(1.0))
        return original(optimizer, [gradients[0] * big, *gradients[1:]])

    model.process_gradients = process


def test_an_infinite_gradient_is_named_at_its_step_though_the_loss_is_finite():
    model = compiled(gmmn)
    spoil_gradient(model, at_step=7)
    with pytest.raises(callbacks.DivergedError, match=r"the gradient of \S+kernel is not finite at step 7"):
        fit(model, digits(), 50, [callbacks.DivergenceGuard()])


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    model = compiled(gmmn)
    spoil_gradient(model, at_step=6)
    with pytest.raises(callbacks.DivergedError, match="with NaN or inf at step 6"):
        fit(model, digits(), 50, [callbacks.Resume(tmp_path, every=2)])
    assert [step for step, _ in checkpoint.list_files(tmp_path)] == [2, 4]


def test_roll_back_restores_the_last_good_checkpoint_at_a_lower_rate(tmp_path):
    model, resume = compiled(gmmn), callbacks.Resume(tmp_path, every=5)
    guard = callbacks.DivergenceGuard(factor=0.5, max_rollbacks=1)
    spoil_gradient(model, at_step=12)
    with pytest.raises(callbacks.DivergedError):
        fit(model, digits(), 50, [guard, resume])
    assert guard.roll_back(model, resume) == 10
    assert float(model.optimizer.learning_rate) == pytest.approx(1.5e-3)
    assert int(model.optimizer.iterations) == 10 and not checkpoint.not_finite(model)
    with pytest.raises(callbacks.DivergedError, match="after 1 rollbacks"):
        guard.roll_back(model, resume)


def test_roll_back_without_a_checkpoint_stops(tmp_path):
    model, guard = compiled(gmmn), callbacks.DivergenceGuard(max_rollbacks=3)
    with pytest.raises(callbacks.DivergedError, match="before the first checkpoint"):
        guard.roll_back(model, callbacks.Resume(tmp_path))


def test_roll_back_twice_to_one_checkpoint_lowers_the_rate_twice(tmp_path):
    model, resume = compiled(gmmn), callbacks.Resume(tmp_path, every=5)
    fit(model, digits(), EPOCH, [resume])
    guard = callbacks.DivergenceGuard(factor=0.1, max_rollbacks=3)
    assert [guard.roll_back(model, resume) for _ in range(2)] == [25, 25]
    assert float(model.optimizer.learning_rate) == pytest.approx(3e-5)


# -- collapse ----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:epoch")
@pytest.mark.parametrize("make", [gmmn, vae])
def test_training_on_one_image_alone_fires_within_200_steps(make):
    model, alarm = compiled(make), callbacks.CollapseAlarm(digits(), warmup=4)
    fit(model, digits(), 200, [alarm])
    assert not alarm.alarms
    fit(model, np.repeat(digits()[:1], 200, 0), 200, [alarm], start=200)
    assert alarm.alarms


@pytest.mark.filterwarnings("ignore:epoch")
def test_losing_half_of_the_data_fires_by_recall():
    alarm = callbacks.CollapseAlarm(digits(), min_recall=0.8)
    alarm.set_model(_Sampler(digits()[300:800]))
    alarm.on_epoch_end(0)
    labels = data.arrays("digits", with_labels=True)[1]
    alarm.set_model(_Sampler(digits()[labels < 3][50:]))
    alarm.on_epoch_end(1)
    assert [epoch for epoch, _ in alarm.alarms] == [1] and "recall=" in alarm.alarms[0][1]


@pytest.mark.filterwarnings("ignore:epoch")
def test_the_best_recall_is_remembered_by_a_resumed_run():
    alarm = callbacks.CollapseAlarm(digits(), min_recall=0.8)
    alarm.set_model(_Sampler(digits()[300:800]))
    alarm.on_epoch_end(0)
    again = callbacks.CollapseAlarm(digits(), min_recall=0.8)
    again.restore(alarm.state())
    assert again.state() == alarm.state() and again.best_recall > 0.3


def test_first_samples_without_spread_raise_no_alarm_in_the_warm_up():
    alarm = callbacks.CollapseAlarm(digits(), warmup=2)
    alarm.set_model(_Sampler(np.repeat(digits()[:1], 256, 0)))
    alarm.on_epoch_end(0)
    assert not alarm.alarms
    with pytest.warns(UserWarning, match="unique"):
        alarm.on_epoch_end(2)


class _Sampler:
    stop_training = False

    def __init__(self, rows):
        self.rows = rows

    def sample(self, num_samples, seed=None):
        return self.rows[:num_samples]


def healthy(make, seed):
    """A healthy run of 250 steps; returns its alarm."""
    model, alarm = compiled(make, seed), callbacks.CollapseAlarm(digits(), warmup=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(model, digits(), 250, [callbacks.DivergenceGuard(), alarm], seed)
    return alarm


@pytest.mark.slow
def test_20_healthy_runs_raise_no_alarm():
    alarms = {
        (make.__name__, seed): healthy(make, seed) for make in (*ONE_PLAYER, mmd_gan) for seed in range(5)
    }
    for name, alarm in alarms.items():
        print(
            *name, {k: round(v, 3) for k, v in alarm.numbers.items()}, f"best recall {alarm.best_recall:.3f}"
        )
    assert {name: alarm.alarms for name, alarm in alarms.items() if alarm.alarms} == {}
