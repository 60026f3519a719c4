"""Searches over settings."""

import itertools
import json
import shlex
import signal

import pytest

from trainers import __main__ as command_line
from trainers import runner, search_space, systems, tune
from trainers.run_folder import RunFolder, RunFolderError, read_json
from trainers.search_space import Choices, Range

CURRENT = {"learning_rate": 0.1, "batch_size": 100, "hidden": (16,), "optimizer": "adam", "deep": True}
NAMES = {"dataset": "digits", "preset": "quick", "seed": 0}
TINY = {
    "steps": 3,
    "report_every": 3,
    "checkpoint_every": 1,
    "hidden": [8],
    "num_samples": 200,
    "schedule": "constant",
    "batch_size": 100,
}


def options(path, **changes):
    overrides = {**TINY, **changes.pop("overrides", {})}
    return tune.TuneOptions("gmmn", directory=str(path), overrides=overrides, measure="pixel_kid", **changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({"learning_rate": "1e-4..1e-2:log"}, Range(1e-4, 1e-2, "log")),
        ({"learning_rate": "0.1..0.5"}, Range(0.1, 0.5)),
        ({"batch_size": "100..400:log:3"}, Range(100, 400, "log", 3, whole=True)),
        ({"batch_size": [100, 200]}, Choices((100, 200))),
        ({"hidden": [[8], [16, 16]]}, Choices(([8], [16, 16]))),
        ({"optimizer": ["adam", "sgd"]}, Choices(("adam", "sgd"))),
    ],
)
def test_ranges_and_lists_are_searched(text, expected):
    fixed, space = search_space.split_overrides(text, CURRENT)
    assert not fixed and list(space.values()) == [expected]


@pytest.mark.parametrize(
    "text", [{"hidden": [8, 8]}, {"optimizer": "sgd"}, {"batch_size": 3}, {"hidden": []}]
)
def test_values_are_fixed_and_a_list_setting_takes_a_list(text):
    assert search_space.split_overrides(text, CURRENT) == (text, {})


@pytest.mark.parametrize(
    ("part", "values"),
    [
        (Range(100, 400, "log", 3, True), [100, 200, 400]),
        (Range(1e-4, 1e-2, "log", 3), [1e-4, 1e-3, 1e-2]),
        (Range(0.0, 1.0, "linear", 5), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Choices((1, [2, 3])), [1, "json:[2, 3]"]),
    ],
)
def test_a_grid_has_both_ends_and_even_steps(part, values):
    assert part.grid("x") == pytest.approx(values) if isinstance(part, Range) else part.grid("x") == values


@pytest.mark.parametrize("text", ["2..1", "1..1", "0..1:log", "1e-3..1:lag"])
def test_an_empty_range_is_refused(text):
    with pytest.raises(ValueError, match="range|scale"):
        search_space.split_overrides({"learning_rate": text}, CURRENT)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    path = tmp_path_factory.mktemp("tune") / "a"
    return path, tune.tune(options(path, num_trials=2, overrides={"learning_rate": "1e-4..1e-2:log"}))


def test_every_trial_is_a_run_with_the_settings_of_its_trial(searched):
    for trial in searched[1]["trials"]:
        rate = read_json(f"{trial['run_dir']}/config.json")["settings"]["learning_rate"]
        assert rate == trial["settings"]["learning_rate"] and 1e-4 <= rate <= 1e-2


def test_the_best_trial_has_the_lowest_of_a_measure_to_minimize(searched):
    scores = [read_json(f"{t['run_dir']}/metrics.json")["pixel_kid"]["mean"] for t in searched[1]["trials"]]
    assert len(scores) == 2 and searched[1]["best"]["value"] == pytest.approx(min(scores))


def test_every_trial_is_in_the_hparams_tab(searched):
    assert len(list(searched[0].glob("trial-*/logs/hparams/events*"))) == 2


def test_the_same_search_goes_on_to_more_trials(searched):
    more = tune.tune(options(searched[0], num_trials=3, overrides={"learning_rate": "1e-4..1e-2:log"}))
    assert [t["value"] for t in more["trials"][:2]] == [t["value"] for t in searched[1]["trials"]]
    rates = {t["settings"]["learning_rate"] for t in more["trials"]}
    assert len(more["trials"]) == len(rates) == 3


def test_a_folder_holds_one_search(searched):
    with pytest.raises(RunFolderError, match="space"):
        tune.tune(options(searched[0], overrides={"learning_rate": "1e-4..1e-3:log"}))


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    space = {"batch_size": [50, 100], "hidden": [[8], [4, 4]]}
    return tune.tune(options(tmp_path_factory.mktemp("grid"), grid=True, seed=3, overrides=space))


def settings_of(trial):
    return read_json(f"{trial['run_dir']}/config.json")["settings"]


def test_a_grid_runs_every_combination_once(grid):
    runs = [settings_of(trial) for trial in grid["trials"]]
    found = sorted((run["batch_size"], run["hidden"]) for run in runs)
    assert found == sorted(itertools.product([50, 100], [[8], [4, 4]]))


def test_the_best_command_is_the_run_of_the_best_trial(grid, monkeypatch):
    asked = []
    monkeypatch.setattr(runner, "run", lambda run_options: asked.append(run_options) or folder)
    monkeypatch.setattr(tune.evaluate, "evaluate", lambda *_: {})
    folder = RunFolder(grid["best"]["run_dir"])
    words = shlex.split(grid["best"]["command"])
    assert words[:3] == ["python", "-m", "trainers"] and command_line.main(words[3:]) == 0
    (run,) = asked
    settings = systems.recipe("gmmn").resolve(run.dataset, run.preset, run.overrides)
    assert json.loads(json.dumps(dict(settings))) == settings_of(grid["best"]) and run.seed == 3


def test_the_report_shows_lists_as_they_are_set(grid):
    assert "hidden=[4, 4]" in tune.report(grid) and "json:" not in tune.report(grid)


@pytest.mark.parametrize("where", ["build", "score"])
def test_ctrl_c_while_a_trial_is_built_or_scored_keeps_the_trial(where, tmp_path, monkeypatch, capsys):
    asked, stop = [], [where]

    def run(run_options):
        asked.append((run_options.run_dir, run_options.overrides["learning_rate"]))
        interrupt("build")
        return RunFolder(run_options.run_dir)

    def interrupt(place):
        if place in stop:
            stop.clear()
            raise KeyboardInterrupt

    def score(*_):
        interrupt("score")
        return {"pixel_kid": {"mean": 1.0}}

    monkeypatch.setattr(tune.runner, "run", run)
    monkeypatch.setattr(tune.evaluate, "evaluate", score)
    monkeypatch.setattr(tune, "read_config", lambda _: {"system": "gmmn", **NAMES, "settings": {}})
    space = ["--set", "learning_rate=1e-4..1e-2:log", "--measure", "pixel_kid", "--trials", "1"]
    command = ["tune", "gmmn", "--dir", str(tmp_path), *space]
    assert command_line.main(command) == 130
    said = capsys.readouterr().err
    assert "trial 0: stopped; the same command goes on" in said and "Traceback" not in said
    assert command_line.main(command) == 0
    assert len(asked) == 2 and asked[0] == asked[1]


def test_a_stopped_trial_goes_on_in_its_folder(tmp_path, monkeypatch):
    real, calls = runner.run, []

    def stop_first(run_options):
        calls.append(run_options)
        if len(calls) == 1:
            raise runner.Interrupted("stopped", signal.SIGTERM)
        return real(run_options)

    monkeypatch.setattr(tune.runner, "run", stop_first)
    search = options(tmp_path, num_trials=1, overrides={"learning_rate": "1e-4..1e-2:log"})
    with pytest.raises(runner.Interrupted):
        tune.tune(search)
    result = tune.tune(search)
    assert calls[0].run_dir == calls[1].run_dir and calls[0].overrides == calls[1].overrides
    assert [t["state"] for t in result["trials"]] == ["fail", "complete"]


BAD = {
    "unknown setting": (["--set", "rate=1..2"], "learning_rate"),
    "unknown measure": (["--measure", "parsen"], "parzen"),
    "a measure that the model cannot take": (["--measure", "reconstruction"], "GMMN has no `reconstruct`"),
    "a measure without its extractor": (["--measure", "kid"], "run lenet --dataset digits"),
    "a range in a grid without a number": (["--grid", "--set", "learning_rate=1..2"], "how many"),
    "nothing to vary": (["--set", "learning_rate=1", "--set", "batch_size=100"], "Give a range"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_search_exits_2_and_says_how_to_mend_it(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD[name]
    assert command_line.main(["tune", "gmmn", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_run_points_to_tune_for_several_values(capsys):
    assert command_line.main(["run", "gmmn", "--set", "batch_size=[100,200]"]) == 2
    assert "trainers tune gmmn --grid" in capsys.readouterr().err
