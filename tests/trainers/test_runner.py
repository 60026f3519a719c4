"""Runs: what they leave in their folder, how they stop and go on."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd.callbacks import checkpoint
from trainers import __main__ as command_line
from trainers import evaluate, runner
from trainers.run_folder import RunFolder, RunFolderError, read_json, write_json

TINY = {
    "steps": 6,
    "batch_size": 100,
    "report_every": 4,
    "checkpoint_every": 2,
    "hidden": [16],
    "num_samples": 200,
    "schedule": "constant",
}


def options(path, **changes):
    overrides = {**TINY, **changes.pop("overrides", {})}
    return runner.RunOptions("gmmn", run_dir=str(path), overrides=overrides, **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return runner.run(options(tmp_path_factory.mktemp("runs") / "a"))


def test_a_run_leaves_the_files_of_the_design(finished):
    names = {path.name for path in finished.path.iterdir()}
    assert names == {"config.json", "model.keras", "checkpoints", "logs", "samples.png"}


def test_a_run_whose_samples_are_alike_warns_and_goes_on_to_its_end(tmp_path):
    overrides = {**TINY, "generator_hidden": [8], "critic_units": 4, "learning_rate": 1e-9}
    del overrides["hidden"]
    with pytest.warns(UserWarning, match="Samples should stay varied. Received: spread=0.0"):
        folder = runner.run(runner.RunOptions("gan", run_dir=str(tmp_path / "a"), overrides=overrides))
    assert checkpoint.list_files(folder.checkpoints)[-1][0] == TINY["steps"]


def test_the_config_says_every_setting_the_seed_and_the_versions(finished):
    config = read_json(finished.config)
    assert config["settings"]["hidden"] == [16] and config["seed"] == 0 and config["versions"]["keras"]


def test_the_saved_model_is_that_of_the_last_step(finished):
    model = keras.models.load_model(finished.model)
    assert int(model.optimizer.iterations) == TINY["steps"]


def test_tensorboard_has_the_losses_and_the_sample_grid(finished):
    tags = set()
    for path in finished.logs.rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            tags |= {value.tag for value in event.summary.value}
    assert {"epoch_loss", "samples"} <= tags


def test_evaluate_writes_scores_with_errors_and_anchors(finished):
    scores = evaluate.evaluate(finished.path)
    assert read_json(finished.metrics) == json.loads(json.dumps(scores))
    assert scores["parzen"]["standard_error"] > 0
    assert set(scores["parzen anchors"]) == {"training images", "k-means centroids"}
    assert "200 samples" in evaluate.report(scores)


@pytest.mark.parametrize("name", evaluate.NEEDS)
def test_a_measure_that_does_not_apply_says_why(name, finished, capsys):
    before = read_json(finished.metrics) if finished.metrics.exists() else {}
    assert command_line.main(["evaluate", str(finished.path), "--measure", name]) == 0
    assert f"{name}: GMMN has no `{evaluate.NEEDS[name]}`" in capsys.readouterr().out
    assert set(read_json(finished.metrics)) == {*before, name}
    write_json(finished.metrics, before)


def test_a_run_is_never_overwritten(finished):
    with pytest.raises(RunFolderError, match="--force"):
        runner.run(options(finished.path))


def test_resume_with_other_settings_is_refused(finished):
    with pytest.raises(RunFolderError, match="batch_size=50"):
        runner.run(options(finished.path, resume=True, overrides={"batch_size": 50}))


def test_a_folder_has_one_owner_at_a_time(tmp_path):
    RunFolder(tmp_path).open({})
    with pytest.raises(RunFolderError, match="owned by"):
        RunFolder(tmp_path).open({}, force=True)


def test_a_replaced_run_leaves_nothing_to_the_next(tmp_path):
    RunFolder(tmp_path).open({}).close()
    left = ("model.keras", "metrics.json", "reconstructions.png", "samples.csv", "judge-0.json", "cell.json")
    for name in (*left, "notes.txt"):
        (tmp_path / name).touch()
    RunFolder(tmp_path).open({}, force=True).close()
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "checkpoints", "notes.txt"}


def test_a_resumed_run_keeps_by_what_it_was_begun_and_lists_what_went_on_with_it(tmp_path):
    for commit in ("a", "b", "b", "c"):
        RunFolder(tmp_path).open({"seed": 1, "commit": commit, "versions": {}}, resume=True).close()
    config = read_json(tmp_path / "config.json")
    assert config["commit"] == "a" and [record["commit"] for record in config["resumes"]] == ["b", "c"]


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    process = subprocess.Popen(["true"])
    process.wait()
    owner = {"pid": process.pid, "host": os.uname().nodename}
    (tmp_path / ".lock").write_text(json.dumps(owner))
    RunFolder(tmp_path).open({}).close()


def test_the_lock_of_an_earlier_process_of_the_same_id_is_taken_over(tmp_path):
    owner = {
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "process": "that of a container before this one",
    }
    (tmp_path / ".lock").write_text(json.dumps(owner))
    RunFolder(tmp_path).open({}).close()


@pytest.mark.parametrize(
    ("start", "total", "every", "parts"),
    [
        (0, 6, 4, [(0, 1, 4), (1, 2, 2)]),
        (0, 8, 4, [(0, 2, 4)]),
        (3, 9, 4, [(0, 1, 1), (1, 2, 4), (2, 3, 1)]),
        (5, 6, 4, [(1, 2, 1)]),
        (6, 6, 4, []),
        (0, 3, 4, [(0, 1, 3)]),
    ],
)
def test_segments_lead_from_start_to_total(start, total, every, parts):
    assert runner.segments(start, total, every) == parts


@pytest.mark.parametrize("stop_at", [2, 4])
def test_a_run_continued_from_a_checkpoint_ends_bit_equal(finished, stop_at, tmp_path):
    first = runner.run(options(tmp_path / "b", overrides={"steps": stop_at}))
    config = read_json(first.config)
    config["settings"]["steps"] = TINY["steps"]
    first.config.write_text(json.dumps(config))
    again = runner.run(options(tmp_path / "b", resume=True))
    weights = [keras.models.load_model(folder.model).get_weights() for folder in (finished, again)]
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)


def test_a_stopped_run_saves_exits_143_and_resumes(tmp_path):
    run_dir = tmp_path / "c"
    arguments = ["run", "gmmn", "--run-dir", str(run_dir), "--steps", "100000", "--set", "hidden=[16]"]
    process = subprocess.Popen(
        [sys.executable, "-m", "trainers", *arguments], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.startswith("step "):
            break
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 60
    assert "--resume goes on" in process.stderr.read()
    assert process.wait(timeout=deadline - time.monotonic()) == 143
    assert checkpoint.list_files(run_dir / "checkpoints")


BAD = {
    "unknown system": (["run", "gmm"], "Did you mean"),
    "unknown preset": (["run", "gmmn", "--preset", "papr"], "Did you mean"),
    "unknown dataset": (["run", "gmmn", "--dataset", "digit"], "digits"),
    "unknown setting": (["run", "gmmn", "--set", "latent=3"], "latent_size"),
    "unknown strategy": (["run", "gmmn", "--strategy", "mirror"], "mirrored"),
    "no TF_CONFIG": (["run", "gmmn", "--strategy", "multiworker"], "TF_CONFIG"),
    "too large a batch": (["run", "gmmn", "--batch-size", "5000"], "--batch-size"),
    "seed outside int64": (["run", "gmmn", "--seed", str(2**63)], "int64"),
    "no steps": (["run", "gmmn", "--steps", "0"], "steps=0"),
    "no rows": (["run", "gmmn", "--batch-size", "0"], "batch_size=0"),
    "steps of the classifier": (["run", "lenet", "--steps", "5"], "epochs"),
    "unknown measure": (["run", "gmmn", "--measure", "parsen"], "parzen"),
    "no run to evaluate": (["evaluate", "nowhere"], "config.json"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_exits_2_says_how_to_mend_it_and_writes_nothing(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD[name]
    assert command_line.main(arguments) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_list_names_every_system_with_its_tunable_ranges_as_json(capsys):
    assert command_line.main(["list", "--json"]) == 0
    rows = {row["system"]: row for row in json.loads(capsys.readouterr().out)["systems"]}
    assert rows["gmmn"]["tunable"]["learning_rate"] == {"low": 1e-4, "high": 1e-2, "scale": "log"}
