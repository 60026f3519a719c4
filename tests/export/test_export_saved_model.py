import errno
import itertools
import json
import os
import shutil
import tempfile
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmmd
from export import model_card, reference, saved_model, serving_files, versions, warmup
from export.serving_files import Batching
from tests import systems
from tests.export.conftest import NAME


def test_versions_count_up_from_one(models, model):
    assert [p.name for p in (models / NAME).iterdir() if p.name.isdigit()] == ["1"]
    assert saved_model.save(model, models, NAME) == models / NAME / "2"


@pytest.fixture
def draft(tmp_path):
    """Function -> a new finished draft."""
    count = itertools.count()

    def make():
        path = tmp_path / f"draft{next(count)}"
        path.mkdir()
        (path / "saved_model.pb").touch()
        return path

    return make


def test_a_number_is_not_used_again_after_its_folder_is_removed(models, draft):
    shutil.rmtree(versions.publish(draft(), models / NAME))
    assert versions.publish(draft(), models / NAME).name == "3"


def test_a_larger_number_made_by_hand_is_respected(models, draft, new_version):
    new_version(41)
    assert versions.publish(draft(), models / NAME).name == "42"


def test_writers_at_the_same_time_get_numbers_of_their_own(models, draft):
    drafts = [draft() for _ in range(8)]
    got = []
    threads = [
        threading.Thread(target=lambda d=draft: got.append(versions.publish(d, models / NAME).name))
        for draft in drafts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, got)) == list(range(2, 10))


def test_models_saved_at_the_same_time_are_all_in_models_config(models, draft, monkeypatch):
    (models / "b").mkdir()
    other = threading.Thread(target=saved_model._publish, args=(draft(), models / "b"))
    read = serving_files.models_config

    def read_then_let_the_other_run(folder):
        text = read(folder)
        if other.ident is None:
            other.start()
            other.join(0.3)  # done by then, unless it waits for the lock
        return text

    (models / "a").mkdir()
    monkeypatch.setattr(serving_files, "models_config", read_then_let_the_other_run)
    saved_model._publish(draft(), models / "a")
    other.join()
    assert set(serving_files.read_models(models)) == {"a", "b", NAME}


def test_a_version_holds_model_warm_up_answers_and_card(written):
    version = written / NAME / "1"
    for part in ("saved_model.pb", "variables/variables.index", warmup.PATH, reference.PATH, model_card.PATH):
        assert (version / part).is_file(), part


def test_config_files_lie_beside_the_models(written):
    assert {"models.config", "batching.config", "monitoring.config"} <= set(os.listdir(written))


def test_every_signature_has_a_warm_up_record_for_each_batch_size(written, loaded):
    requests = warmup.read(written / NAME / "1")
    seen = {
        (r.model_spec.signature_name, next(iter(r.inputs.values())).tensor_shape.dim[0].size)
        for r in requests
    }
    assert seen == {(key, size) for key in loaded.signatures for size in Batching().sizes}


def test_saved_samples_equal_the_keras_model_bit_for_bit(loaded, model):
    seeds = np.array([0, 1, -1, 2**63 - 1, -(2**63)], np.int64)
    np.testing.assert_array_equal(
        loaded.run("sample", {"seed": seeds})["samples"], model.sample(seeds=seeds).numpy()
    )


def test_tf_saved_model_load_gives_the_same_samples(written, loaded):
    seeds = np.arange(3, dtype=np.int64)
    endpoint = tf.saved_model.load(str(written / NAME / "1")).signatures["sample"]
    np.testing.assert_array_equal(
        endpoint(seed=tf.constant(seeds))["samples"].numpy(), loaded.run("sample", {"seed": seeds})["samples"]
    )


def test_a_run_folder_is_served_under_its_name(run_dir, tmp_path):
    assert saved_model.save(run_dir, tmp_path / "models") == tmp_path / "models" / "run-a" / "1"


def test_the_model_card_tells_data_settings_versions_and_scores(run_dir, tmp_path):
    config = {
        "system": "gmmn",
        "dataset": "digits",
        "seed": 7,
        "settings": {"batch_size": 500, "value_range": [0, 1]},
        "versions": {"tfmmd": tfmmd.__version__, "keras": "3.x"},
    }
    (run_dir / "config.json").write_text(json.dumps(config))
    scores = {"parzen": {"mean": 84.25, "standard_error": 1.5, "num_test": 10_000, "bandwidths": [1, 2]}}
    (run_dir / "metrics.json").write_text(json.dumps(scores))
    card = (saved_model.save(run_dir, tmp_path / "models") / model_card.PATH).read_text()
    score = "| parzen | 84.25 +- 1.5 | num_test 10000 |"
    for fact in ("digits", "bandwidths", "500", "| seed | 7 |", tfmmd.__version__, score):
        assert fact in card, fact


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b", "a:b"])
def test_a_name_that_is_no_folder_and_no_url_part_is_refused(model, tmp_path, name):
    with pytest.raises(ValueError, match="served name"):
        versions.check_name(name)


def test_a_run_without_a_model_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(ValueError, match=r"without model\.keras"):
        saved_model.save(tmp_path / "run", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_run_of_another_version_of_the_package_is_refused(run_dir, tmp_path):
    (run_dir / "config.json").write_text(json.dumps({"versions": {"tfmmd": "99.1.0"}}))
    with pytest.raises(ValueError, match=r"tfmmd 99\.1\.0"):
        saved_model.save(run_dir, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_damaged_model_file_is_refused(run_dir, tmp_path):
    (run_dir / "model.keras").write_bytes((run_dir / "model.keras").read_bytes()[:1000])
    with pytest.raises(ValueError, match="must load"):
        saved_model.save(run_dir, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_damaged_run_json_is_refused(run_dir, tmp_path):
    (run_dir / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json"):
        saved_model.save(run_dir, tmp_path / "models")


def test_nan_weights_are_refused_and_nothing_is_left(tmp_path):
    broken = systems.gmmn()
    broken.generator.weights[0].assign(broken.generator.weights[0] * float("nan"))
    with pytest.raises(ValueError, match="finite weights"):
        saved_model.save(broken, tmp_path / "models", NAME)
    assert not (tmp_path / "models").exists()


def test_a_plain_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Wrap the network"):
        saved_model.save(keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]), tmp_path, NAME)


def _full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def _full_for_tensorflow(*args, **kwargs):
    raise tf.errors.ResourceExhaustedError(None, None, "variables; No space left on device")


@pytest.mark.parametrize(
    "owner, part, fail",
    [
        (tfmmd.models.GenerativeModel, "export", _full_for_tensorflow),
        (model_card, "write", _full),
        (versions, "write_text", _full),  # .last_version
        (serving_files, "models_config", _full),
    ],
    ids=["the SavedModel", "its model card", "its number", "models.config"],
)
def test_a_full_disk_leaves_no_version_and_no_new_folder(model, tmp_path, monkeypatch, owner, part, fail):
    monkeypatch.setattr(owner, part, fail)
    with pytest.raises(OSError, match="No space left"):
        saved_model.save(model, tmp_path / "models", NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_older_version_as_it_was(models, model, files, monkeypatch):
    before = files(models)
    monkeypatch.setattr(reference, "write", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        saved_model.save(model, models, NAME)
    assert files(models) == before


def test_a_models_folder_that_is_a_file_is_an_error(model, tmp_path):
    (tmp_path / "models").write_text("not a folder")
    with pytest.raises(OSError):
        saved_model.save(model, tmp_path / "models", NAME)
    assert (tmp_path / "models").read_text() == "not a folder"


def test_a_read_only_folder_is_an_error_and_stays_as_it_was(model, tmp_path, files, monkeypatch):
    def read_only(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    (tmp_path / "models").mkdir()
    monkeypatch.setattr(tempfile, "mkdtemp", read_only)
    with pytest.raises(OSError, match="Read-only"):
        saved_model.save(model, tmp_path / "models", NAME)
    assert files(tmp_path / "models") == []
