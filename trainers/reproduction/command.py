"""`python -m trainers reproduce`: runs tables, writes their results, plots and the page."""

import dataclasses
import sys
from pathlib import Path

from tfmmd import checks
from trainers.reproduction import book, cells, contents, plots, tables
from trainers.run_folder import read_json, write_json


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
        ValueError: For unknown names, before anything is run; for the table of speed without benchmarks.
    """
    report = report or (lambda line: print(line, file=sys.stderr, flush=True))
    checks.one_of("preset", preset, tables.PRESETS)
    checks.positive_int("seeds", num_seeds)
    checks.positive_int("jobs", jobs)
    for table, on in _with_rows(_on_datasets(names, dataset), preset, labels):
        path = book.results_path(docs, table.name, on, preset)
        old = read_json(path)["rows"] if path.exists() else {}
        table = _without_larger(table, old, num_seeds, report)
        rows = old | cells.run_table(table, preset, on, num_seeds, runs, report, gathered, jobs)
        _write_results(contents.TABLES[table.name], preset, on, rows, path)
        report(f"[{table.name}] results: {path}")
    return write_page(docs)


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


def _without_larger(table, results, num_seeds, report):
    """The table without the rows whose results have more seeds than are asked for: a mean never shrinks."""
    larger = {label for label, found in results.items() if book.num_seeds(found) > num_seeds}
    for row in (row for row in table.rows if row.label in larger):
        count = book.num_seeds(results[row.label])
        report(f"[{table.name}] {row.label} keeps its {count} seeds; --seeds {count} runs it again")
    return dataclasses.replace(table, rows=tuple(row for row in table.rows if row.label not in larger))


def _write_results(table, preset, dataset, rows, path):
    """Writes a table's results file: its rows in the table's order, and its experiment on them."""
    ordered = [row for row in table.rows_for(dataset, preset) if row.label in rows]
    experiment = table.experiment and table.experiment(ordered, preset, dataset, path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"rows": {row.label: rows[row.label] for row in ordered}, "experiment": experiment})


def write_page(docs):
    """Writes plots and page from the results files; returns the page's path."""
    for table in contents.TABLES.values():
        for dataset in table.datasets:
            for preset in tables.PRESETS:
                path = book.results_path(docs, table.name, dataset, preset)
                if path.exists():
                    plots.draw(table, dataset, preset, read_json(path), Path(docs) / "reproduction")
    page = Path(docs) / "reproduction.md"
    page.write_text(book.render(docs))
    return page
