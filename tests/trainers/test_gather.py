"""Figures of runs in one file."""

import json
import shlex

import pytest

from trainers import __main__ as command_line
from trainers import gather, systems
from trainers.run_folder import RunFolderError, read_json, write_json

SCORES = {"parzen": {"mean": 1.5, "standard_error": 0.5, "bandwidth": 0.2, "num_samples": 10}}


def a_run(path, **overrides):
    """A folder as `trainers run` leaves it, without the model."""
    path.mkdir()
    settings = dict(systems.recipe("gae").resolve("mnist", "grey-1", overrides))
    names = {"system": "gae", "dataset": "mnist", "preset": "grey-1", "seed": 3}
    write_json(path / "config.json", {**names, "settings": settings, "versions": {}, "machine": {}})
    write_json(path / "metrics.json", SCORES)
    return path


def test_a_record_holds_the_scores_and_the_settings(tmp_path):
    (record,) = gather.gather([a_run(tmp_path / "a", latent_size=4)], tmp_path / "all.json")["runs"]
    assert record["metrics"] == SCORES
    assert record["settings"]["latent_size"] == 4 and record["seed"] == 3


def test_the_file_holds_what_is_returned(tmp_path):
    runs = [a_run(tmp_path / name) for name in "ab"]
    result = gather.gather(runs, tmp_path / "all.json")
    assert read_json(tmp_path / "all.json") == json.loads(json.dumps(result)) and len(result["runs"]) == 2


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({}, ""),
        ({"latent_size": 4}, " --set latent_size=4"),
        ({"hidden": [5, 5]}, " --set 'hidden=[5, 5]'"),
        ({"objective": "path"}, " --set objective=path"),
        ({"objective": "it's"}, """ --set 'objective=it'"'"'s'"""),
        ({"features": "/here/lenet.keras"}, ""),
    ],
)
def test_the_command_sets_what_differs_from_the_preset(tmp_path, overrides, words):
    config = read_json(a_run(tmp_path / "a", **overrides) / "config.json")
    expected = "python -m trainers run gae --dataset mnist --preset grey-1 --seed 3" + words
    assert gather.command(config) == expected


def test_the_command_quotes_a_folder_with_a_space(tmp_path):
    config = {**read_json(a_run(tmp_path / "a") / "config.json"), "dataset": "folder:my photos"}
    assert shlex.split(gather.command(config))[6] == "folder:my photos"


def test_a_run_without_scores_is_refused(tmp_path):
    path = a_run(tmp_path / "a")
    (path / "metrics.json").unlink()
    with pytest.raises(RunFolderError, match="trainers evaluate"):
        gather.record(path)


def test_the_command_line_prints_every_run_with_its_score(tmp_path, capsys):
    run, path = a_run(tmp_path / "a"), tmp_path / "all.json"
    assert command_line.main(["gather", str(run), "--to", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "--preset grey-1 --seed 3" in printed and "1.50 +- 0.50" in printed and str(path) in printed


def test_a_folder_without_a_run_exits_with_bad_input(tmp_path):
    assert command_line.main(["gather", str(tmp_path), "--to", str(tmp_path / "all.json")]) == 2
