"""Damaged, missing and foreign checkpoints: the older one with a warning, or a clear error; never step 0."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import systems
from tfmmd import callbacks, networks, priors
from tfmmd.callbacks import checkpoint
from trainers.run_folder import RunFolder, RunFolderError


def small(optimizer="adam"):
    keras.utils.set_random_seed(0)
    made = systems.models.GMMN(networks.mlp(2, (3,), 2), priors.Uniform(2))
    made.compile(optimizer=optimizer)
    return made


@pytest.fixture
def folder(tmp_path):
    """Checkpoints of steps 4 and 6; the weights are the step."""
    for step in (2, 4, 6):
        made = small()
        made.set_weights([np.full(w.shape, step, w.dtype) for w in made.get_weights()])
        checkpoint.save(tmp_path, made, step)
    return tmp_path


def newest(folder):
    return checkpoint.list_files(folder)[-1][1]


def restored(folder):
    """(step, weights that agree with it) of a new model."""
    made = small()
    step = callbacks.Resume(folder).restore(made)
    return step, all(np.all(w == step) for w in made.get_weights())


def test_every_flipped_byte_is_noticed_or_harmless(folder):
    path, rng = newest(folder), np.random.default_rng(0)
    whole, (arrays, meta) = path.read_bytes(), checkpoint.read(newest(folder))
    places = {*rng.integers(0, len(whole), 400).tolist(), *range(64), *range(len(whole) - 64, len(whole))}
    noticed = 0
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        try:
            again, described = checkpoint.read(path)
        except checkpoint.CheckpointError:
            noticed += 1
            continue
        assert described == meta and all(np.array_equal(again[k], v) for k, v in arrays.items())
    assert noticed > len(places) / 3


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_gives_way_to_the_older_one(folder, share):
    path = newest(folder)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.warns(UserWarning, match="Going back"):
        assert restored(folder) == (4, True)


def test_a_missing_newest_checkpoint_gives_way_to_the_older_one_with_a_warning(folder):
    newest(folder).unlink()
    with pytest.warns(UserWarning, match=r"step-0000000006.npz .*Going back"):
        assert restored(folder) == (4, True)


def test_all_checkpoints_missing_is_an_error(folder):
    for _, path in checkpoint.list_files(folder):
        path.unlink()
    with (
        pytest.warns(UserWarning, match="Going back"),
        pytest.raises(checkpoint.CheckpointError, match="step 0"),
    ):
        restored(folder)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"steps": null}'])
def test_a_lost_or_damaged_record_loses_no_checkpoint(folder, text):
    record = folder / checkpoint.INDEX
    record.unlink() if text is None else record.write_text(text)
    assert restored(folder) == (6, True)


def rewritten(path, **changes):
    """Changes the description in a checkpoint."""
    arrays, meta = checkpoint.read(path)
    meta = json.dumps({**meta, **changes}).encode()
    np.savez(path, **arrays, __meta__=np.frombuffer(meta, np.uint8))


def test_a_checkpoint_of_another_format_names_both_versions(folder):
    rewritten(newest(folder), format=2, version="9.9")
    with pytest.raises(checkpoint.CheckpointError, match="format 2, written by version 9.9"):
        checkpoint.read(newest(folder))


def test_a_checkpoint_without_the_names_of_its_parts_is_read(folder):
    arrays, meta = checkpoint.read(newest(folder))
    meta = {k: v for k, v in meta.items() if k not in ("parts", "version")}
    np.savez(newest(folder), **arrays, __meta__=np.frombuffer(json.dumps(meta).encode(), np.uint8))
    assert restored(folder) == (6, True)


def test_a_checkpoint_of_another_optimizer_is_refused(folder):
    with pytest.raises(checkpoint.CheckpointError, match="optimizer RMSprop, not Adam"):
        checkpoint.restore(newest(folder), small("rmsprop"))


def test_a_checkpoint_of_another_class_with_the_same_shapes_is_refused(folder):
    rewritten(newest(folder), parts={"model": "CramerGAN", "optimizer": "Adam"})
    with pytest.raises(checkpoint.CheckpointError, match="model GMMN, not CramerGAN"):
        checkpoint.restore(newest(folder), small())


def test_the_state_of_too_few_callbacks_is_refused(folder):
    with pytest.raises(checkpoint.CheckpointError, match="0 states for 1 callbacks"):
        callbacks.Resume(folder, stateful=[callbacks.CollapseAlarm(np.eye(3))]).restore(small())


def test_arrays_of_python_objects_are_refused(folder):
    np.savez(newest(folder), a=np.array([{}], object))
    with pytest.raises(checkpoint.CheckpointError, match="allow_pickle"):
        checkpoint.read(newest(folder))


def test_layers_of_bfloat16_and_counters_of_dropout_are_restored(tmp_path):
    def model():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((2,))
        x = keras.layers.Dense(3, dtype="bfloat16")(keras.layers.Dropout(0.5)(inputs))
        made = keras.Model(inputs, x)
        made.compile(optimizer="sgd", loss="mse")
        return made

    first, again = model(), model()
    first(np.ones((2, 2)), training=True)
    checkpoint.save(tmp_path, first, 1)
    checkpoint.restore(newest(tmp_path), again)
    np.testing.assert_array_equal(
        first(np.ones((9, 2)), training=True), again(np.ones((9, 2)), training=True)
    )


class AtEpochEnd(keras.callbacks.Callback):
    """Changes a weight when an epoch is over, as `KeepCodes` does."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.layers[-1].bias.assign([7.0, 7.0])


@pytest.mark.parametrize("known_length", [True, False])
def test_what_callbacks_change_at_the_end_of_an_epoch_is_saved_with_its_last_step(known_length, tmp_path):
    made = small().generator
    made.compile("sgd", "mse")
    x = tf.data.Dataset.from_tensors((np.ones((2, 2)), np.ones((2, 2)))).repeat(4)
    x = x if known_length else x.filter(lambda *_: True)
    made.fit(x, verbose=0, callbacks=[AtEpochEnd(), callbacks.Resume(tmp_path, every=2)])
    again = small().generator
    again.compile("sgd", "mse")
    assert callbacks.Resume(tmp_path).restore(again) == 4
    np.testing.assert_array_equal(again.layers[-1].bias, [7.0, 7.0])


def test_stale_drafts_are_cleared_by_the_next_checkpoint(folder):
    (folder / ".draft-1-step-0000000008.npz").write_bytes(b"half")
    checkpoint.save(folder, small(), 8)
    assert not list(folder.glob(".draft-*"))


# -- run folders -------------------------------------------------------------------------------------------

CONFIG = {"system": "gmmn", "settings": {"steps": 8}}


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path / "run").open(CONFIG)
    checkpoint.save(run.checkpoints, small(), 4)
    run.close()
    return run


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(tmp_path):
    RunFolder(tmp_path).open(CONFIG).close()
    RunFolder(tmp_path).open(CONFIG, resume=True).close()


def test_a_run_whose_checkpoints_are_gone_is_not_begun_again(run):
    for path in sorted(run.checkpoints.iterdir()):
        path.unlink()
    with pytest.raises(RunFolderError, match="checkpoints are gone"):
        RunFolder(run.path).open(CONFIG, resume=True)


def test_checkpoints_without_a_config_are_not_taken_over_by_another_run(run):
    run.config.unlink()
    for resume in (True, False):
        with pytest.raises(RunFolderError, match="without one"):
            RunFolder(run.path).open(CONFIG, resume=resume)


def test_force_begins_again_without_the_old_checkpoints(run):
    RunFolder(run.path).open(CONFIG, force=True).close()
    assert checkpoint.list_recorded(run.checkpoints) == []
