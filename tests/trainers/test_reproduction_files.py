"""Files that the reproduction book is made of: damaged or missing ones are named before anything is run."""

import json

import pytest

from tests.trainers.test_reproduction import TABLE
from trainers import __main__ as command_line
from trainers.reproduction import book, contents, processes, results
from trainers.run_folder import read_json, write_json

RUN = {
    "command": "python -m trainers run gmmn --dataset digits --preset quick --seed 0",
    "settings": {"steps": 6},
    "seed": 0,
    "versions": {"tfmmd": "0.1.0"},
    "machine": {"platform": "Linux"},
    "commit": None,
    "metrics": {},
    "minutes": None,
}
WHOLE = {"rows": {"first": [RUN]}, "experiment": None}


def without(*names):
    """A run that lacks some of its entries."""
    return {name: value for name, value in RUN.items() if name not in names}


def rows(found):
    return json.dumps({**WHOLE, "rows": {"first": found}}).encode()


DAMAGED = {
    "empty": b"",
    "truncated": json.dumps(WHOLE).encode()[:60],
    "not UTF-8": b"\xff\xfe\x00{}",
    "a list": b"[]",
    "no rows": b"{}",
    "a row without runs": rows([]),
    "a row that is a text": rows("runs"),
    "a run that is a number": rows([1]),
    **{f"a run without {name}": rows([without(name)]) for name in (*results.MAPPINGS, "seed", "commit")},
    "a run without minutes": rows([without("minutes")]),
    "a run without steps": rows([{**RUN, "settings": {}}]),
}


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """A folder of docs for the tiny table, whose runs must not begin."""
    monkeypatch.setattr(contents, "TABLES", {"tiny": TABLE})
    monkeypatch.setattr(processes.Processes, "outcome", lambda *_: pytest.fail("a run was begun"))
    (tmp_path / "results").mkdir()
    return tmp_path


def refusal(capsys, docs, *words):
    """What `reproduce` says of bad input."""
    folders = ["--docs", str(docs), "--runs", str(docs / "runs")]
    assert command_line.main(["reproduce", *words, *folders]) == command_line.BAD_INPUT
    return capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("--page-only",), ("tiny", "--preset", "paper")], ids=" ".join)
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_results_file_is_named_with_the_way_out(content, words, docs, capsys):
    path = book.results_path(docs, "tiny", "digits", "quick")
    path.write_bytes(content)
    message = refusal(capsys, docs, *words)
    assert str(path) in message and "Restore it from git" in message


def test_a_whole_results_file_is_read_as_it_is(docs):
    write_json(docs / "whole.json", WHOLE)
    assert results.read(docs / "whole.json", TABLE) == WHOLE


@pytest.mark.parametrize("experiment", [None, {}, {"second": {"milliseconds": 1.0}}])
def test_a_results_file_without_the_experiment_of_its_rows_is_refused(experiment, docs):
    write_json(docs / "part.json", {**WHOLE, "experiment": experiment})
    with pytest.raises(ValueError, match=r"part\.json.*experiment"):
        results.read(docs / "part.json", contents.MMD_GAN)


def test_a_results_file_of_an_experiment_alone_is_refused_without_it(docs):
    write_json(docs / "part.json", {"rows": {}, "experiment": {}})
    with pytest.raises(ValueError, match="without its experiment"):
        results.read(docs / "part.json", contents.BIAS)


def test_a_damaged_benchmark_is_named_before_tables_are_run(docs, monkeypatch, capsys):
    monkeypatch.setattr(contents, "TABLES", {"tiny": TABLE, "speed": contents.SPEED})
    (docs / "results" / "mmd.json").write_text("{")
    message = refusal(capsys, docs)
    assert str(docs / "results" / "mmd.json") in message and "make bench" in message


def test_a_gathered_file_that_is_missing_is_named(docs, capsys):
    message = refusal(capsys, docs, "--gathered", str(docs / "none.json"))
    assert "none.json (No such file" in message and "trainers gather" in message


@pytest.mark.parametrize(
    "content", [[], {}, {"runs": {}}, {"runs": [without("metrics")]}, {"runs": [without("command")]}]
)
def test_a_gathered_file_without_runs_is_refused(content, docs, capsys):
    write_json(docs / "other.json", content)
    message = refusal(capsys, docs, "--gathered", str(docs / "other.json"))
    assert "other.json, with" in message and "trainers gather" in message


def test_what_gather_writes_is_taken(docs):
    write_json(docs / "gathered.json", {"runs": [without("minutes")]})
    assert results.read_gathered(docs / "gathered.json") == [without("minutes")]


@pytest.mark.parametrize(
    "words", [("tinny",), ("--preset", "quik"), ("--dataset", "digit"), ("--row", "frst")], ids=" ".join
)
def test_names_are_looked_at_where_only_the_page_is_written(words, docs, capsys):
    assert "Did you mean" in refusal(capsys, docs, "--page-only", *words)
    assert not (docs / "reproduction.md").exists()


def test_a_page_without_its_folder_says_which(docs, capsys):
    message = refusal(capsys, docs / "none", "--page-only")
    assert f"no folder {docs / 'none'}" in message and "--docs" in message


def test_a_file_in_the_place_of_docs_is_refused_before_anything_is_run(docs, capsys):
    (docs / "file").touch()
    folders = ["--docs", str(docs / "file"), "--runs", str(docs / "runs")]
    assert command_line.main(["reproduce", *folders]) == command_line.BAD_INPUT
    assert f"no folder {docs / 'file'}" in capsys.readouterr().err


def test_the_table_of_speed_is_that_of_the_benchmarks_in_its_docs(tmp_path):
    step = {"ratios": {"torch": {"wall": 0.6}}, "target": 0.45}
    machine = {"processor": "a processor", "cores": 2, "load": 1.0}
    cases = {"a": {"ratios": {"b": {"wall": 0.5}, "c": {"wall": 1.0}}, "targets": {"c": 1.0}}}
    bench = {"unit": "ms", "cases": cases, "step": step, "machine": machine}
    path = book.results_path(tmp_path, "speed", "synthetic", "quick")
    path.parent.mkdir()
    write_json(path.parent / "mmd.json", bench)
    assert command_line.main(["reproduce", "speed", "--docs", str(tmp_path)]) == 0
    assert read_json(path)["experiment"] == {
        "mmd": {"machine": machine, "cases": {**bench["cases"], "step": step}}
    }
    page = (tmp_path / "reproduction.md").read_text()
    assert "a processor, 2 cores, load 1.0" in page
    assert "| a | b | 0.5 |  |" in page and "| a | c | 1 | <= 1: reached |" in page
    assert "| step | torch | 0.6 | <= 0.45: missed |" in page


@pytest.mark.parametrize("wall, verdict", [(120.0, "reached"), (99.0, "missed")])
def test_a_speed_up_must_be_at_least_its_target(wall, verdict):
    cases = {"a": {"speedup": {"wall": wall, "target": 100.0}}}
    machine = {"processor": "a processor", "cores": 2, "load": 1.0}
    (text,) = book._speed({"two_sample": {"machine": machine, "cases": cases}})
    assert f"| a | peer | {wall:g} | >= 100: {verdict} |" in text and "higher is better" in text


def test_the_table_of_speed_without_benchmarks_is_refused(tmp_path, capsys):
    assert command_line.main(["reproduce", "speed", "--docs", str(tmp_path)]) == 2
    assert "make bench" in capsys.readouterr().err and not list(tmp_path.iterdir())
