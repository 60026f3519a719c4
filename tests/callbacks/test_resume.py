"""Checkpoints: damaged files, other architectures, state of callbacks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import systems
from tfmmd import callbacks
from tfmmd.callbacks import checkpoint


def model(width=16):
    made = systems.gmmn() if width == 16 else systems.wide_gmmn()
    systems.compile_one(made)
    return made


def fit(made, resume, epochs=2):
    made.fit(systems.digits(64), batch_size=16, epochs=epochs, shuffle=False, verbose=0, callbacks=[resume])


@pytest.fixture
def saved(tmp_path):
    resume = callbacks.Resume(tmp_path, every=3)
    made = model()
    fit(made, resume)
    return tmp_path, made


def test_the_newest_two_checkpoints_are_kept(saved):
    assert [step for step, _ in checkpoint.list_files(saved[0])] == [6, 8]


def test_restore_gives_all_weights_and_the_step(saved):
    directory, trained = saved
    again = model()
    assert callbacks.Resume(directory).restore(again) == 8
    for a, b in zip(checkpoint.variables_of(trained).values(), checkpoint.variables_of(again).values()):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_plain_keras_model_is_restored_with_its_optimizer(tmp_path):
    def plain():
        made = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
        made.compile(optimizer="adam", loss="mse")
        return made

    trained, again, x = plain(), plain(), np.ones([8, 2], np.float32)
    trained.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[callbacks.Resume(tmp_path)])
    assert callbacks.Resume(tmp_path).restore(again) == int(again.optimizer.iterations) == 2
    np.testing.assert_array_equal(again.predict(x, verbose=0), trained.predict(x, verbose=0))


def test_a_folder_of_another_run_is_refused_before_training(saved):
    with pytest.raises(
        checkpoint.CheckpointError, match=r"checkpoint of step 8 .* Call restore\(model\) first"
    ):
        fit(model(), callbacks.Resume(saved[0]))


def test_checkpoints_of_a_course_that_was_given_up_go_with_the_next_save(saved):
    directory, trained = saved
    checkpoint.save(directory, trained, 7)
    assert [step for step, _ in checkpoint.list_recorded(directory)] == [6, 7]


def test_nothing_to_restore_is_step_0(tmp_path):
    assert callbacks.Resume(tmp_path).restore(model()) == 0


def batches_of_unknown_number():
    """Four batches a pass, which Keras cannot know before."""
    return tf.data.Dataset.from_tensor_slices(systems.digits(64)).batch(16).filter(lambda x: True)


def test_a_process_that_does_not_write_goes_through_epochs_of_unknown_length(tmp_path):
    resume = callbacks.Resume(tmp_path, every=1, write=False)
    model().fit(batches_of_unknown_number(), epochs=2, verbose=0, callbacks=[resume])
    assert resume.step == 8 and not checkpoint.list_files(tmp_path)


def test_the_last_step_of_an_epoch_of_unknown_length_is_saved_again_at_its_end(tmp_path):
    counter = Counter()
    resume = callbacks.Resume(tmp_path, every=1, stateful=[counter])
    counter.on_epoch_end = lambda epoch, logs=None: setattr(counter, "value", 100)
    model().fit(batches_of_unknown_number(), verbose=0, callbacks=[counter, resume])
    again = Counter()
    callbacks.Resume(tmp_path, stateful=[again]).restore(model())
    assert again.value == 100


DAMAGE = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "bit flipped": lambda data: data[:5000] + bytes([data[5000] ^ 16]) + data[5001:],
    "text": lambda data: b"not a checkpoint",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(saved, kind):
    directory, _ = saved
    newest = checkpoint.list_files(directory)[-1][1]
    newest.write_bytes(DAMAGE[kind](newest.read_bytes()))
    with pytest.warns(UserWarning, match="Going back"):
        assert callbacks.Resume(directory).restore(model()) == 6


@pytest.mark.filterwarnings("ignore:.*Going back")
def test_only_damaged_checkpoints_are_an_error_not_a_fresh_start(saved):
    for _, path in checkpoint.list_files(saved[0]):
        path.write_bytes(b"")
    with pytest.raises(checkpoint.CheckpointError, match="start again"):
        callbacks.Resume(saved[0]).restore(model())


def test_another_architecture_is_refused_and_nothing_is_assigned(saved):
    other = model(width=8)
    before = other.get_weights()
    with pytest.raises(checkpoint.CheckpointError, match="same architecture"):
        checkpoint.restore(checkpoint.list_files(saved[0])[-1][1], other)
    for a, b in zip(before, other.get_weights()):
        np.testing.assert_array_equal(a, b)


class Counter(callbacks.Resume.__mro__[1]):
    """A callback with state."""

    value = 0

    def on_train_batch_end(self, batch, logs=None):
        self.value += 1

    def state(self):
        return {"value": self.value}

    def restore(self, state):
        self.value = state["value"]


def test_the_state_of_other_callbacks_is_saved_along(tmp_path):
    counter = Counter()
    made = model()
    resume = callbacks.Resume(tmp_path, stateful=[counter])
    made.fit(systems.digits(64), batch_size=16, verbose=0, callbacks=[counter, resume])
    again = Counter()
    callbacks.Resume(tmp_path, stateful=[again]).restore(model())
    assert again.value == 4


def test_a_failed_write_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "savez", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(tmp_path, model(), 1)
    assert not list(tmp_path.iterdir())
