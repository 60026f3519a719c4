"""`python -m trainers reproduce`: runs tables, writes their results, plots and the page."""

import dataclasses
import itertools
import sys
from pathlib import Path

from tfmmd import checks
from trainers.reproduction import book, cells, contents, plots, results, tables
from trainers.run_folder import write_json


def reproduce(names, *, preset, num_seeds, dataset, runs, docs, report=None, gathered=(), jobs=1, labels=()):
    """Runs tables and writes the book.

    Args:
        names: Tables; empty means all.
        preset: "quick" or "paper".
        num_seeds: Runs of each row; a row whose results have more of them keeps those.
        dataset: A dataset of the tables; None takes each table's first.
        runs: Folder of run folders.
        docs: Folder of `results/`, `reproduction/` and `reproduction.md`.
        report: Function of a line for people; None prints to stderr.
        gathered: Files of `trainers gather` whose runs are taken over.
        jobs: Number of runs at once.
        labels: Rows of those tables; empty means all. What the results file has of other rows is then kept.

    Returns:
        Path of the page.

    Raises:
        ValueError: For unknown names and damaged files, before anything is run; for the table of speed without
            benchmarks.
    """
    report = report or (lambda line: print(line, file=sys.stderr, flush=True))
    checks.positive_int("seeds", num_seeds)
    checks.positive_int("jobs", jobs)
    todo = select(names, preset, dataset, labels)
    _check_files(todo, docs, gathered)
    for table, on in todo:
        path = book.results_path(docs, table.name, on, preset)
        old = results.read(path, contents.TABLES[table.name])["rows"] if path.exists() else {}
        table = _without_larger(table, old, num_seeds, report)
        rows = old | cells.run_table(table, preset, on, num_seeds, runs, report, gathered, jobs)
        _write_results(contents.TABLES[table.name], preset, on, rows, path)
        report(f"[{table.name}] results: {path}")
    return write_page(docs)


def select(names, preset, dataset=None, labels=()):
    """The tables of `reproduce`, each with the dataset that it is run on.

    Raises:
        ValueError: For unknown names.
    """
    checks.one_of("preset", preset, tables.PRESETS)
    return _with_rows(_on_datasets(names, dataset), preset, labels)


def _check_files(todo, docs, gathered):
    """Refuses damaged files that are read only once tables have been run."""
    if Path(docs).exists():
        results.check_folder(docs)
    for table, _, _, path in _results_files(docs):
        results.read(path, table)
    for path in gathered:
        results.read_gathered(path)
    if any(table.name == contents.SPEED.name for table, _ in todo):
        for path in sorted((Path(docs) / "results").glob("*.json")):
            results.check_json(path, "Make it again with `make bench`, or restore it from git.")


def _results_files(docs):
    """(table, dataset, preset, path) of every results file of the page that is there."""
    for table in contents.TABLES.values():
        for dataset, preset in itertools.product(table.datasets, tables.PRESETS):
            path = book.results_path(docs, table.name, dataset, preset)
            if path.exists():
                yield table, dataset, preset, path


def _on_datasets(names, dataset):
    """The named tables, or all, each with the dataset that it is run on."""
    chosen = [contents.TABLES[checks.one_of("table", name, contents.TABLES)] for name in names]
    chosen = chosen or list(contents.TABLES.values())
    for table in chosen if dataset else ():
        checks.one_of(f"dataset of {table.name}", dataset, table.datasets)
    return [(table, dataset or table.datasets[0]) for table in chosen]


def _with_rows(pairs, preset, labels):
    """The tables with the rows of `labels` alone, and without those that have none of them."""
    known = [row.label for table, on in pairs for row in table.rows_for(on, preset)]
    for label in labels:
        checks.one_of("row", label, known)
    if not labels:
        return pairs
    some = [
        (dataclasses.replace(table, rows=tuple(row for row in table.rows if row.label in labels)), on)
        for table, on in pairs
    ]
    return [(table, on) for table, on in some if table.rows_for(on, preset)]


def _without_larger(table, old, num_seeds, report):
    """The table without the rows whose results have more seeds than are asked for: a mean never shrinks."""
    larger = {label for label, found in old.items() if book.num_seeds(found) > num_seeds}
    for row in (row for row in table.rows if row.label in larger):
        count = book.num_seeds(old[row.label])
        report(f"[{table.name}] {row.label} keeps its {count} seeds; --seeds {count} runs it again")
    return dataclasses.replace(table, rows=tuple(row for row in table.rows if row.label not in larger))


def _write_results(table, preset, dataset, rows, path):
    """Writes a table's results file: its rows in the table's order, and its experiment on them."""
    ordered = [row for row in table.rows_for(dataset, preset) if row.label in rows]
    experiment = table.experiment and table.experiment(ordered, preset, dataset, path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"rows": {row.label: rows[row.label] for row in ordered}, "experiment": experiment})


def write_page(docs):
    """Writes plots and page from the results files; returns the page's path.

    Raises:
        ValueError: Without the folder of docs, or if a results file is damaged.
    """
    results.check_folder(docs)
    found = [(*of, results.read(path, of[0])) for *of, path in _results_files(docs)]
    for table, dataset, preset, record in found:
        plots.draw(table, dataset, preset, record, Path(docs) / "reproduction")
    page = Path(docs) / "reproduction.md"
    page.write_text(book.render(docs))
    return page
