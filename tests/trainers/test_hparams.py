"""Runs in TensorBoard's HParams tab and in `trainers list`."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tensorboard.plugins.hparams import plugin_data_pb2

from trainers import __main__ as command_line
from trainers import evaluate, hparams, listing
from trainers.run_folder import RunFolder, read_json, write_json

PAGE = Path(__file__).parent.parent.parent / "docs" / "watching.md"
CONFIG = {
    **{"system": "gmmn", "dataset": "digits", "preset": "quick", "seed": 3, "strategy": "none"},
    "settings": {"steps": 7, "hidden": [8, 8], "binarize": None, "deep": True, "learning_rate": 0.5},
}
SCORES = {
    "parzen": {"mean": 2.5, "standard_error": 0.1, "bandwidths": [1.0]},
    "parzen anchors": {"training images": {"mean": 9.0}},
    "fid": {"not measured": "no extractor"},
    "precision_recall": {"precision": 0.5, "recall": 0.25},
    "log_likelihood, 50 prior draws": {"mean": -80.0},
    "test errors": 4,
}


def test_headlines_are_one_number_a_measure():
    assert hparams.headlines(SCORES) == {
        "parzen": 2.5,
        "precision": 0.5,
        "recall": 0.25,
        "log_likelihood_50_prior_draws": -80.0,
        "test_errors": 4.0,
    }


def events(folder):
    for path in (folder.logs / "hparams").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            yield from event.summary.value


@pytest.fixture
def written(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "a")
    folder.path.mkdir(parents=True)
    write_json(folder.config, CONFIG), write_json(folder.metrics, SCORES)
    hparams.write(folder, CONFIG, {"kid": {"mean": 1.0}})
    hparams.write(folder, CONFIG, SCORES)
    return folder


def test_the_tab_has_every_setting_of_the_run(written):
    found = next(
        v for v in events(written) if v.metadata.plugin_data.plugin_name == "hparams" and "start" in v.tag
    )
    data = plugin_data_pb2.HParamsPluginData.FromString(found.metadata.plugin_data.content)
    values = data.session_start_info.hparams
    assert values["learning_rate"].number_value == 0.5 and values["deep"].bool_value
    assert values["hidden"].string_value == "[8, 8]" and values["seed"].number_value == 3


def test_the_last_scores_replace_those_before(written):
    scores = {v.tag: float(tf.make_ndarray(v.tensor)) for v in events(written) if v.tag.startswith("score/")}
    assert scores == {f"score/{name}": value for name, value in hparams.headlines(SCORES).items()}


def test_list_shows_runs_with_their_scores_and_what_is_unfinished(written, capsys):
    assert command_line.main(["list", "--runs", str(written.path.parent)]) == 0
    shown = capsys.readouterr().out
    assert "parzen 2.5" in shown and "gmmn on digits, quick, seed 3" in shown
    written.metrics.unlink()
    assert command_line.main(["list", "--runs", str(written.path.parent)]) == 0
    assert "--resume" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"test accuracy": 0.99, "sha256": "ab"}, "test_accuracy 0.99"),
        ({"log_likelihood, 50 prior draws": {"mean": -80.0}}, "log_likelihood_50_prior_draws -80"),
        ({"inception_score": {"mean": 7.5}}, "inception_score 7.5"),
        ({"fid": {"not measured": "no extractor"}}, "not evaluated"),
    ],
)
def test_list_shows_scores_of_any_name(scores, words, written):
    write_json(written.metrics, scores), written.model.touch()
    (run,) = listing.found_runs(written.path.parent)
    assert words in listing.text([], [run], "runs")


def test_list_finds_trials_and_looks_not_inside_of_runs(written):
    deep = written.path.parent / "tune" / "trial-000"
    deep.mkdir(parents=True), write_json(deep / "config.json", CONFIG)
    inside = written.path / "logs" / "x"
    inside.mkdir(), write_json(inside / "config.json", CONFIG)
    assert [run["path"] for run in listing.found_runs(written.path.parent)] == [str(written.path), str(deep)]


def test_list_of_an_empty_folder_says_so(tmp_path, capsys):
    assert command_line.main(["list", "--runs", str(tmp_path / "none")]) == 0
    assert "no runs under" in capsys.readouterr().out


def test_the_page_documents_every_measure():
    page = PAGE.read_text()
    assert [name for name in evaluate.MEASURES if f"`{name}`" not in page] == []


def test_one_measure_replaces_its_own_entry_only(tmp_path):
    folder = RunFolder(tmp_path / "run")
    command = ["run", "gmmn", "--run-dir", str(folder.path), "--steps", "2", "--set", "hidden=[8]"]
    assert command_line.main([*command, "--measure", "pixel_kid", "--set", "num_samples=100"]) == 0
    scores = {**read_json(folder.metrics), "fid": {"mean": 1.0}}
    write_json(folder.metrics, scores)
    assert command_line.main(["evaluate", str(folder.path), "--measure", "pixel_kid"]) == 0
    assert read_json(folder.metrics) == json.loads(json.dumps(scores))


FIELDS = set(
    "mean standard_error interval standard_deviation estimator num_subsets "
    "subset_size num_real num_fake extractor".split()
)


def test_pixel_kid_has_the_documented_fields(tmp_path):
    path = tmp_path / "run"
    arguments = ["--steps", "2", "--set", "hidden=[8]", "--set", "num_samples=100", "--measure", "pixel_kid"]
    assert command_line.main(["run", "gmmn", "--run-dir", str(path), *arguments]) == 0
    found = read_json(path / "metrics.json")["pixel_kid"]
    page = PAGE.read_text()
    assert set(found) == FIELDS and all(f"`{name}`" in page for name in FIELDS)
