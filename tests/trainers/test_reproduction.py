"""The reproduction book: tables that resolve, cells that are kept and resumed, a page that is a function of files."""

import contextlib
import dataclasses
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tfmmd.data.load import find
from tfmmd.metrics.feature_cache import file_hash
from trainers import __main__ as command_line
from trainers import lenet, systems
from trainers.reproduction import book, cells, command, contents, experiments, plots, processes, tables
from trainers.run_folder import read_json, write_json

DOCS = Path(__file__).parents[2] / "docs"
TINY = {
    "steps": 6,
    "batch_size": 50,
    "report_every": 3,
    "checkpoint_every": 1,
    "hidden": [8],
    "num_samples": 100,
}
ROWS = (
    tables.Row("first", "gmmn", ("quick", TINY), None, {"digits": "1 +- 1"}, {"digits": -1e9}),
    tables.Row("second", "gmmn", ("quick", {**TINY, "steps": 4}), None, {}, {"digits": 1e9}),
)
TABLE = tables.Table("tiny", "A tiny table", (contents.PARZEN,), ROWS, ("digits",), ("parzen",))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def in_this_process(self, command):
    """Stands in for a process of its own: the same command line, without the seconds that a start takes."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        return command_line.main(command[3:]), out.getvalue()


@pytest.fixture(scope="module")
def record(runs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes.Processes, "outcome", in_this_process)
        rows = cells.run_table(TABLE, "quick", "digits", 2, runs, lambda line: None)
        return {"rows": rows, "experiment": None}


def every_cell():
    return [
        pytest.param(row, preset, dataset, id=f"{table.name}-{row.label}-{preset}-{dataset}")
        for table in contents.TABLES.values()
        for dataset in table.datasets
        for preset in tables.PRESETS
        for row in table.rows_for(dataset, preset)
    ]


@pytest.mark.parametrize("row, preset, dataset", every_cell())
def test_every_row_names_settings_that_its_recipe_has(row, preset, dataset):
    name, overrides = row.recipe(preset)
    settings = systems.recipe(row.system).resolve(dataset, name, overrides)
    assert {key: settings[key] for key in overrides} == overrides


def test_equal_runs_of_two_tables_share_a_folder():
    first, other = tables.cells(TABLE, "quick", "digits", 1), tables.cells(TABLE, "quick", "digits", 2)
    assert [cell.folder for cell in first] == [cell.folder for cell in other[:2]]
    assert len({cell.folder for cell in other}) == 4


@pytest.mark.parametrize("name, same", [("checkpoint_every", True), ("learning_rate", False)])
def test_a_preset_that_changes_its_numbers_gets_a_folder_of_its_own(name, same, monkeypatch):
    free = dataclasses.replace(tables.cells(TABLE, "quick", "digits", 1)[0], overrides=())
    before = free.folder
    monkeypatch.setitem(systems.recipe("gmmn").presets["quick"], name, 77)
    assert (free.folder == before) == same


@pytest.mark.parametrize("preset, labels", [("quick", ["first"]), ("paper", ["first", "large"])])
def test_a_row_without_quick_settings_is_in_the_paper_table_alone(preset, labels):
    large = tables.Row("large", "gmmn", None, ("paper", {}))
    table = dataclasses.replace(TABLE, rows=(ROWS[0], large))
    assert [cell.label for cell in tables.cells(table, preset, "digits", 1)] == labels


def test_a_table_has_a_record_of_every_row_and_seed(record):
    assert {label: [c["seed"] for c in found] for label, found in record["rows"].items()} == {
        "first": [0, 1],
        "second": [0, 1],
    }


def test_a_record_says_settings_versions_machine_commit_and_minutes(record):
    cell = record["rows"]["first"][0]
    assert cell["settings"]["steps"] == 6
    assert {"versions", "machine", "commit", "minutes", "metrics", "command"} <= set(cell)


def test_a_finished_cell_is_not_run_again(record, runs, monkeypatch):
    monkeypatch.setattr(processes.Processes, "outcome", lambda *_: pytest.fail("a finished cell was run"))
    again = cells.run_table(TABLE, "quick", "digits", 2, runs, lambda line: None)
    assert again == record["rows"]


def test_a_cell_that_lacks_a_measure_is_scored_and_its_time_added(record, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(processes.Processes, "outcome", in_this_process)
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    cell = tables.cells(TABLE, "quick", "digits", 1)[0]
    folder = tmp_path / cell.folder
    before = read_json(folder / "seconds.json")["seconds"]
    cells.run_cell(
        dataclasses.replace(cell, measures=("parzen", "pixel_kid")), tmp_path, processes.Processes()
    )
    assert read_json(folder / cells.RECORD)["measures"] == ["parzen", "pixel_kid"]
    assert read_json(folder / "seconds.json")["seconds"] > before


def test_a_run_of_a_gathered_file_is_taken_over(record, tmp_path, monkeypatch):
    monkeypatch.setattr(
        processes.Processes, "outcome", lambda *_: pytest.fail("a gathered run was run again")
    )
    runs = [cell for found in record["rows"].values() for cell in found]
    write_json(tmp_path / "gathered.json", {"runs": runs})
    again = cells.run_table(
        TABLE, "quick", "digits", 2, tmp_path, lambda line: None, gathered=[tmp_path / "gathered.json"]
    )
    assert again["second"][1] == {**record["rows"]["second"][1], "minutes": None}
    assert book._minutes(again["second"]) == "not kept"


@pytest.mark.parametrize("name, found", [("checkpoint_every", True), ("batch_size", False), ("steps", False)])
def test_a_gathered_run_of_other_settings_is_taken_over_only_where_they_change_no_number(
    name, found, record, tmp_path
):
    other = record["rows"]["first"][0]
    other = {**other, "settings": {**other["settings"], name: 77}}
    write_json(tmp_path / "gathered.json", {"runs": [other]})
    cell = tables.cells(TABLE, "quick", "digits", 1)[0]
    assert (cells._found(cell, TABLE, [tmp_path / "gathered.json"]) is not None) == found


def test_a_gathered_run_without_the_score_is_run(record, tmp_path):
    bare = {**record["rows"]["first"][0], "metrics": {}}
    write_json(tmp_path / "gathered.json", {"runs": [bare]})
    cell = tables.cells(TABLE, "quick", "digits", 1)[0]
    assert cells._found(cell, TABLE, [tmp_path / "gathered.json"]) is None


def test_the_mean_over_seeds_has_their_standard_error(record):
    values = [cell["metrics"]["parzen"]["mean"] for cell in record["rows"]["first"]]
    mean, error = sum(values) / 2, abs(values[0] - values[1]) / 2
    assert book.score(contents.PARZEN, record["rows"]["first"]) == f"{mean:.1f} +- {error:.1f} (2 seeds)"


@pytest.mark.parametrize(
    "row, expected", [(ROWS[0], "reached"), (ROWS[1], "missed")], ids=["reached", "missed"]
)
def test_a_target_says_whether_it_was_reached(row, expected, record):
    text = book.verdict(contents.PARZEN, row.target["digits"], record["rows"][row.label])
    assert text.endswith(expected)


def test_a_failing_cell_names_its_command(tmp_path):
    row = tables.Row("broken", "gmmn", ("quick", {**TINY, "steps": -1}))
    broken = tables.Table("broken", "Broken", (contents.PARZEN,), (row,), ("digits",), ("parzen",))
    with pytest.raises(processes.CommandFailed, match="trainers run gmmn --dataset digits"):
        cells.run_table(broken, "quick", "digits", 1, tmp_path, lambda line: None)


@pytest.mark.parametrize(
    "measures, there, labelled, made",
    [
        (("kid",), (), True, True),
        (("mode_coverage", "parzen"), (), True, True),
        (("kid",), ("config.json", "metrics.json"), True, False),
        (("kid",), ("config.json",), True, True),
        (("kid",), ("somebody's own",), True, False),
        (("kid",), (), False, False),
        (("parzen",), (), True, False),
    ],
)
def test_the_classifier_of_the_scores_is_trained_first_and_to_its_end(
    measures, there, labelled, made, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = lenet.default_path("digits")
    path.parent.mkdir(parents=True)
    if there:
        path.touch()
    for name in there:
        write_json(path.with_name(name), {"sha256": file_hash(path)})
    pool, commands = processes.Processes(), []
    monkeypatch.setattr(pool, "outcome", lambda command: commands.append(command[3:]) or (0, "{}"))
    source = dataclasses.replace(find("digits", "train"), labelled=labelled)
    monkeypatch.setattr(cells, "find", lambda *_: source)
    cells._make_classifier(dataclasses.replace(TABLE, measures=measures), "digits", pool, lambda line: None)
    expected = ["run", "lenet", "--dataset", "digits", "--resume", "--json"]
    assert commands == ([expected] if made else [])


@pytest.mark.parametrize("words, named", [(["kd"], "kde"), (["kde", "--row", "GMM"], "GMMN+AE")])
def test_an_unknown_table_or_row_is_told_the_names(words, named, capsys):
    assert command_line.main(["reproduce", *words]) == command_line.BAD_INPUT
    assert named in capsys.readouterr().err


@pytest.fixture
def reproduce(record, runs, tmp_path, monkeypatch):
    """Function of more words for `reproduce` of the tiny table; gives the rows of its results file."""
    monkeypatch.setattr(processes.Processes, "outcome", in_this_process)
    monkeypatch.setattr(contents, "TABLES", {"tiny": TABLE})
    path = book.results_path(tmp_path, "tiny", "digits", "quick")
    path.parent.mkdir()

    def run(before, *words):
        write_json(path, {**record, "rows": before})
        assert command_line.main(["reproduce", *words, "--runs", str(runs), "--docs", str(tmp_path)]) == 0
        return read_json(path)["rows"]

    return run


def test_one_row_is_run_and_the_others_keep_their_results(record, reproduce):
    other = {"first": [{**record["rows"]["first"][0], "minutes": 77}]}
    assert reproduce(other, "--row", "second", "--seeds", "2") == {
        **other,
        "second": record["rows"]["second"],
    }


def test_a_row_is_never_replaced_by_one_of_fewer_seeds(record, reproduce, capsys):
    rows = record["rows"]
    three = {"first": [*rows["first"], {**rows["first"][0], "seed": 2}]}
    assert reproduce(three, "--seeds", "1") == {**three, "second": rows["second"][:1]}
    assert "first keeps its 3 seeds" in capsys.readouterr().err


def test_a_page_names_the_commands_of_its_numbers_of_seeds(record):
    first, *_ = record["rows"]["first"]
    found = {"a": [first] * 3, "b": [first] * 3, "c": [first], "d": [{**first, "members": 10}]}
    head = "python -m trainers reproduce tiny --preset quick"
    lines = book._commands(TABLE, "digits", "quick", {"rows": found})
    assert lines == [f"{head} --seeds 3", f'{head} --row "c"', f'{head} --seeds 10 --row "d"']


def test_an_experiment_is_made_on_the_rows_that_have_results(record, tmp_path):
    table = dataclasses.replace(TABLE, experiment=lambda rows, *_: [row.label for row in rows])
    command._write_results(table, "quick", "digits", {"second": record["rows"]["second"]}, tmp_path / "a")
    assert read_json(tmp_path / "a")["experiment"] == ["second"]


def test_the_page_names_all_machines_of_a_table(record):
    first, second = ({"platform": name, "python": "3"} for name in ("Linux-a", "Linux-b"))
    cell = record["rows"]["second"][0]
    rows = {"second": [{**cell, "machine": {**first, "processor": "p, AVX2"}}, {**cell, "machine": second}]}
    assert "; Linux-a (p, AVX2); Linux-b; commit" in book._provenance({"rows": rows})


def test_a_row_without_results_keeps_its_published_number_on_the_page(record):
    part = {**record, "rows": {"second": record["rows"]["second"]}}
    assert "| first | 1 +- 1 | not run |" in book._table(TABLE, "digits", "quick", part)


def test_a_stopped_table_stops_its_run_and_goes_on(tmp_path):
    settings = {**TINY, "steps": 4000}
    script = (
        "import sys; from trainers.reproduction import cells, contents, tables\n"
        f"row = tables.Row('long', 'gmmn', ('quick', {settings!r}))\n"
        "table = tables.Table('long', 'Long', (contents.PARZEN,), (row,), ('digits',), ('parzen',))\n"
        "cells.run_table(table, 'quick', 'digits', 1, sys.argv[1])\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(tmp_path.glob("*/checkpoints/step-*")))
    os.kill(child.pid, signal.SIGTERM)
    _, errors = child.communicate(timeout=120)
    assert child.returncode != 0
    assert "Stopped in long" in errors
    assert not list(tmp_path.glob("*/model.keras"))
    assert not list(tmp_path.glob("*/.lock"))


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("nothing came in time")
        time.sleep(0.1)


def test_a_table_that_was_not_run_says_how_to_run_it(tmp_path):
    assert "python -m trainers reproduce kde --preset paper" in book.render(tmp_path)


def test_a_page_holds_scores_targets_and_text(record, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "TABLES", {"tiny": TABLE})
    (tmp_path / "reproduction").mkdir()
    (tmp_path / "reproduction" / "tiny.md").write_text("What we learned.")
    path = book.results_path(tmp_path, "tiny", "digits", "quick")
    path.parent.mkdir()
    write_json(path, record)
    page = command.write_page(tmp_path).read_text()
    minutes = sum(found[0]["minutes"] for found in record["rows"].values())
    for text in (
        "What we learned.",
        "1 +- 1",
        "reached",
        "missed",
        "k-means centroids",
        f"| all | 2 | {minutes:.0f} |",
        "tiny-digits-quick.png",
    ):
        assert text in page


def test_a_page_names_the_rows_that_were_not_run(record, tmp_path, monkeypatch):
    large = tables.Row("large", "gmmn", None, ("paper", {}), {"digits": "2 +- 2"})
    table = tables.Table("tiny", "A tiny table", (contents.PARZEN,), (*ROWS, large), ("digits",), ("parzen",))
    monkeypatch.setattr(contents, "TABLES", {"tiny": table})
    path = book.results_path(tmp_path, "tiny", "digits", "quick")
    path.parent.mkdir()
    write_json(path, record)
    rest = book.render(tmp_path).partition("### digits, the other rows")[2]
    assert "| large | 2 +- 2 |" in rest and "reproduce tiny --preset paper" in rest and "first" not in rest


def test_a_page_lists_what_the_scheduler_decided(record):
    decisions = [{"step": 50, "text": "Step 50: KID 0.3; better."}]
    cell = {**record["rows"]["first"][0], "history": {"decisions": decisions, "seconds": [1.0]}}
    chapter = book.chapter(TABLE, "digits", "quick", {**record, "rows": {"first": [cell], "second": []}})
    assert "decisions, first, seed 0:\n\n- Step 50: KID 0.3; better." in "\n".join(chapter)


def test_kid_is_drawn_against_the_time_that_its_steps_cost():
    run = {"history": {"decisions": [{"step": 50, "kid": 0.5}, {"step": 100, "kid": 0.3}]}}
    record = {"rows": {"first": [run, run]}, "experiment": {"first": {"milliseconds": 600.0}}}
    lines = plots.kid_against_time(TABLE, "digits", record).axes[0].lines
    np.testing.assert_allclose([line.get_xdata() for line in lines], [[0.5, 1.0]] * 2)


def test_the_page_in_the_docs_is_that_of_its_results_files():
    assert (DOCS / "reproduction.md").read_text() == book.render(DOCS)


def test_the_slope_through_a_fixed_critic_has_its_closed_form():
    point = experiments.fixed_critic(0.4, 100)
    assert abs(point["mean"] - point["closed form"]) < 4 * point["standard_error"]


def test_the_slope_through_a_learned_critic_has_its_closed_form():
    point = experiments.learned_critic(0.2, 100)
    assert abs(point["mean"] - point["closed form"]) < 4 * point["standard_error"]
    assert point["closed form"] < 0.8 * point["unbiased"]


def test_steps_of_rows_are_timed():
    rows = [
        tables.Row(
            "small", "wgan-gp", ("quick", {"generator_filters": 4, "critic_filters": 4, "batch_size": 4})
        )
    ]
    costs = experiments.step_costs(rows, "quick", "digits", None)
    assert costs["small"]["milliseconds"] > 0


def test_values_are_found_by_a_pattern_of_the_name():
    scores = {"parzen, 550 samples": {"mean": 3.0}, "log_likelihood, 9 prior draws": {"mean": 4.0}}
    assert tables.value_at(scores, ("log_likelihood, * prior draws", "mean")) == 4.0
    assert tables.value_at(scores, ("parzen, *", "mean")) == 3.0
    assert tables.value_at(scores, ("kid", "mean")) is None
