"""`python -m trainers reproduce`: runs tables, writes their results, plots and the page."""

import sys
from pathlib import Path

from tfmmd import checks
from trainers.reproduction import book, cells, contents, plots, tables
from trainers.run_folder import read_json, write_json


def reproduce(names, *, preset, num_seeds, dataset, runs, docs, report=None, gathered=(), jobs=1):
    """Runs tables and writes the book.

    Args:
        names: Tables; empty means all.
        preset: "quick" or "paper".
        num_seeds: Runs of each row.
        dataset: A dataset of the tables; None takes each table's first.
        runs: Folder of run folders.
        docs: Folder of `results/`, `reproduction/` and `reproduction.md`.
        report: Function of a line for people; None prints to stderr.
        gathered: Files of `trainers gather` whose runs are taken over.
        jobs: Number of runs at once.

    Returns:
        Path of the page.

    Raises:
        ValueError: For unknown names, before anything is run.
    """
    report = report or (lambda line: print(line, file=sys.stderr, flush=True))
    checks.one_of("preset", preset, tables.PRESETS)
    checks.positive_int("seeds", num_seeds)
    checks.positive_int("jobs", jobs)
    chosen = [contents.TABLES[checks.one_of("table", name, contents.TABLES)] for name in names]
    chosen = chosen or list(contents.TABLES.values())
    for table in chosen if dataset else ():
        checks.one_of(f"dataset of {table.name}", dataset, table.datasets)
    for table in chosen:
        on = dataset or table.datasets[0]
        record = cells.run_table(table, preset, on, num_seeds, runs, report, gathered, jobs)
        path = book.results_path(docs, table.name, on, preset)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, record)
        report(f"[{table.name}] results: {path}")
    return write_page(docs)


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
