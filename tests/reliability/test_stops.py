"""Runs that are stopped by signals or diverge: what they save, how they end, how they go on."""

import dataclasses
import os
import signal

import keras
import numpy as np
import pytest

from tfmmd import callbacks
from tfmmd.callbacks import checkpoint
from trainers import __main__ as command_line
from trainers import lenet, systems

SETTINGS = (
    "steps=6",
    "batch_size=100",
    "report_every=4",
    "checkpoint_every=2",
    "hidden=[16]",
    "schedule=constant",
)
COMMAND = ["run", "gmmn", "--run-dir", "run", *(part for s in SETTINGS for part in ("--set", s))]


class At(keras.callbacks.Callback):
    """Does something once, after a step."""

    def __init__(self, step, act):
        super().__init__()
        self.step, self.act = step, act

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step and self.act:
            act, self.act = self.act, None
            act(self.model)


def stop(number):
    return lambda model: os.kill(os.getpid(), number)


def spoil(model):
    model.trainable_variables[0].assign(np.full(model.trainable_variables[0].shape, np.nan))


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Makes a run of GMMN in an empty folder do something after a step."""
    monkeypatch.chdir(tmp_path)
    recipe = systems.recipe("gmmn")

    def install(step, act):
        changed = dataclasses.replace(recipe, callbacks=lambda *_: [At(step, act)], measures=())
        monkeypatch.setattr(systems, "recipe", lambda name: changed)

    return install


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_step_saves_and_gives_its_exit_code(number, code, at, capsys):
    before = signal.getsignal(number)
    at(3, stop(number))
    assert command_line.main(COMMAND) == code
    assert "Stopped at step 3 of 6" in capsys.readouterr().err
    assert [step for step, _ in checkpoint.list_files("run/checkpoints")] == [2, 3]
    assert signal.getsignal(number) is before
    at(7, None)
    assert command_line.main([*COMMAND, "--resume"]) == 0
    assert "From step 3 of 6" in capsys.readouterr().err


def test_a_stopped_classifier_is_none_and_goes_on_to_its_end(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = lenet.default_path("digits")
    sizes = ("epochs=3", "batch_size=500", "num_features=4")
    command = ["run", "lenet", *(part for size in sizes for part in ("--set", size))]
    monkeypatch.setattr(lenet, "Progress", lambda *_: At(3, stop(signal.SIGTERM)))
    assert command_line.main(command) == 143
    assert "Stopped at step 3 of 6" in capsys.readouterr().err
    assert not path.exists() and not lenet.is_finished(path)
    monkeypatch.setattr(lenet, "Progress", lambda *_: At(7, None))
    assert command_line.main([*command, "--resume"]) == 0
    assert int(keras.models.load_model(path).optimizer.iterations) == 6 and lenet.is_finished(path)


def test_a_diverged_run_goes_back_to_its_last_checkpoint_at_half_the_rate_when_asked(at, capsys):
    at(5, spoil)
    assert command_line.main([*COMMAND, "--rollbacks", "1"]) == 0
    assert "Back to step 4 at lower learning rates" in capsys.readouterr().err
    model = keras.models.load_model("run/model.keras")
    rate = systems.recipe("gmmn").resolve("digits", "quick").learning_rate
    assert float(model.optimizer.learning_rate) == pytest.approx(rate / 2)
    assert int(model.optimizer.iterations) == 6 and not checkpoint.not_finite(model)


def test_a_diverged_run_fails_with_its_step_and_keeps_the_last_good_checkpoint(at, capsys):
    at(5, spoil)
    assert command_line.main(COMMAND) == 1
    assert "not finite at step 6" in capsys.readouterr().err
    assert [step for step, _ in checkpoint.list_files("run/checkpoints")] == [2, 4]


def test_after_an_error_in_training_signals_are_free_again(tmp_path, request):
    from tests.reliability.test_damage import small

    before = signal.default_int_handler  # a job in the background begins with SIGINT ignored
    old = signal.signal(signal.SIGINT, before)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, old))
    model, resume = small(), callbacks.Resume(tmp_path)
    model.trainable_variables[0].assign(np.full(model.trainable_variables[0].shape, np.nan))
    with pytest.raises(callbacks.DivergedError):
        model.fit(np.zeros((8, 2)), verbose=0, callbacks=[callbacks.DivergenceGuard(), resume])
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_steps_are_counted_when_several_are_taken_at_once(tmp_path):
    from tests.reliability.test_damage import small

    model, resume = small(), callbacks.Resume(tmp_path, every=2)
    model.compile(optimizer="sgd", steps_per_execution=4)
    model.fit(np.zeros((24, 2)), batch_size=2, verbose=0, callbacks=[resume])
    assert resume.step == int(model.optimizer.iterations) == 12
