"""What is trained before a run goes on where it was stopped."""

import signal

import keras
import numpy as np
import pytest

from tests.systems import SYSTEMS, digits
from tfmmd.callbacks.steps import StepCounter
from trainers.phases import Interrupted, Phases

WAYS = {
    "pretrain": {"num_updates": 4, "fine_tuning_updates": 5, "dropout": 0.1},
    "pretrain_whole": {"num_updates": 6},
}
STOPS = [("pretrain", step) for step in (1, 3, 4, 7)] + [("pretrain_whole", step) for step in (1, 4)]


class Killed(Exception):
    pass


class At(StepCounter):
    """Does something after a step."""

    def __init__(self, stop, action):
        super().__init__()
        self.stop, self.action, self.skipped = stop, action, 0

    def skip(self, steps):
        self.skipped += steps
        self.step += steps

    def on_train_batch_end(self, batch, logs=None):
        self.count(batch)
        if self.step == self.stop:
            self.action()


def kill():
    raise Killed


def train(way, directory, callback=None):
    """The weights of an auto-encoder that is trained with checkpoints in a folder."""
    keras.utils.set_random_seed(0)
    model = SYSTEMS["gmmn-ae"].build()
    phases, callbacks = Phases(directory, every=2), [callback] if callback else []
    getattr(model, way)(digits(32), batch_size=8, fit=phases.fit, callbacks=callbacks, **WAYS[way])
    return model.autoencoder.get_weights()


@pytest.mark.parametrize(("way", "stop"), STOPS)
def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(way, stop, tmp_path):
    with pytest.raises(Killed):
        train(way, tmp_path / "killed", At(stop, kill))
    again = At(None, None)
    weights = train(way, tmp_path / "killed", again)
    for actual, expected in zip(weights, train(way, tmp_path / "undisturbed"), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("way", WAYS)
def test_finished_phases_are_loaded(way, tmp_path):
    weights, again = train(way, tmp_path), At(None, None)
    for actual, expected in zip(train(way, tmp_path, again), weights, strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert again.step == again.skipped > 0


def test_a_signal_ends_the_step_and_saves_it(tmp_path):
    with pytest.raises(Interrupted, match="Stopped at step 3 of 6 of 'whole'; --resume goes on") as stopped:
        train("pretrain_whole", tmp_path, At(3, lambda: signal.raise_signal(signal.SIGTERM)))
    assert stopped.value.signal == signal.SIGTERM
    again = At(None, None)
    train("pretrain_whole", tmp_path, again)
    assert again.skipped == 3
