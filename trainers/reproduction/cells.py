"""Runs the cells of a table; what is finished is kept, what was stopped goes on."""

import json
import shlex
import threading
import time
from pathlib import Path

from tfmmd.data.load import find
from trainers import evaluate, gather, lenet
from trainers.progress import duration
from trainers.reproduction import results, tables
from trainers.reproduction.processes import Processes
from trainers.run_folder import read_json, write_json

RECORD = "cell.json"  # in a run folder: seconds and scores of what is finished
HISTORY = "kid_learning_rate.json"  # where the scheduler was at work
OF_CLASSIFIER = {*evaluate.OF_FEATURES, "mode_coverage"}  # measures that need the dataset's LeNet


def run_table(table, preset, dataset, num_seeds, runs, report=print, gathered=(), jobs=1):
    """Runs what is not finished of a table.

    Args:
        table: `tables.Table`.
        preset: "quick" or "paper".
        dataset: One of the table's.
        num_seeds: Runs of each row.
        runs: Folder of run folders.
        report: Function of a line for people.
        gathered: Files of `trainers gather`: a run in them that is one of the table's is not run again.
        jobs: Number of runs at once.

    Returns:
        Label of a row -> the records of its seeds, a JSON mapping.

    Raises:
        trainers.reproduction.processes.CommandFailed: If a run fails; the finished ones are kept.
        trainers.runner.Interrupted: If a run was stopped; the same command goes on.
    """
    todo = tables.cells(table, preset, dataset, num_seeds)
    known = [_found(cell, table, gathered) for cell in todo]
    missing = [cell for cell, found in zip(todo, known) if found is None and not is_finished(cell, runs)]
    missing = list({cell.folder: cell for cell in missing}.values())  # rows can share a run
    with Processes(max(1, min(jobs, len(missing)))) as processes:
        if missing:
            _make_classifier(table, dataset, processes, report)
        progress = _Progress(table, len(missing), report)
        processes.each(lambda cell: _run_reported(cell, runs, processes, progress), missing)
        records = [(cell.label, found or _record(cell, runs)) for cell, found in zip(todo, known)]
        rows = _rows(table, preset, dataset, records)
        for row in table.rows_for(dataset, preset):
            if row.ensemble and num_seeds > 1:
                rows[row.label] = [_together(row, todo, runs, rows[row.label], processes)]
    return rows


def _rows(table, preset, dataset, records):
    """Label -> the records of its seeds, in the table's order."""
    return {
        row.label: [record for label, record in records if label == row.label]
        for row in table.rows_for(dataset, preset)
    }


def _make_classifier(table, dataset, processes, report):
    """Trains the LeNet that a table's measures need, to its end, if the dataset has labels."""
    path = lenet.default_path(dataset)
    if not OF_CLASSIFIER & set(table.measures) or lenet.is_finished(path):
        return
    if not find(dataset, "train").labelled:
        return
    report(f"[{table.name}] the classifier of its scores: {path}")
    processes.trainers(["run", "lenet", "--dataset", dataset, "--resume"], "the classifier")


class _Progress:
    """Lines for people: which cell begins, and the time left by the mean of those that ended."""

    def __init__(self, table, number, report):
        self.table, self.number, self.report = table, number, report
        self.begun = self.done = 0
        self.start, self.lock = time.monotonic(), threading.Lock()

    def begin(self, cell):
        with self.lock:
            self.begun += 1
            seconds = (time.monotonic() - self.start) / self.done if self.done else None
            rest = duration(seconds * (self.number - self.done)) if seconds else "unknown"
            head = f"[{self.table.name} {self.begun}/{self.number}] {cell.name}"
            self.report(f"{head}: {self.number - self.done} to run, time left {rest}")

    def end(self):
        with self.lock:
            self.done += 1


def _run_reported(cell, runs, processes, progress):
    progress.begin(cell)
    run_cell(cell, runs, processes)
    progress.end()


def _found(cell, table, gathered):
    """The record of a cell in files of `trainers gather`, or None: the same training, and the target's score.

    Members of an ensemble are never found there: their models are needed.
    """
    if any(row.ensemble and row.label == cell.label for row in table.rows):
        return None
    for path in gathered:
        for record in results.read_gathered(path):
            score = tables.value_at(record["metrics"], table.columns[0].score)
            if score is not None and _is_run_of(record, cell):
                return {**record, "minutes": None}
    return None


def _is_run_of(record, cell):
    """Whether a gathered run trained what a cell trains: its system, data, seed and all settings that matter."""
    words = shlex.split(record["command"])
    if (cell.system, cell.dataset, cell.seed) != (words[4], words[6], record["seed"]):
        return False
    training = cell.training
    return all(
        training.get(name) == value for name, value in record["settings"].items() if name not in tables.IDLE
    )


def is_finished(cell, runs):
    """Whether a cell has every measure of its table."""
    path = Path(runs) / cell.folder / RECORD
    return path.exists() and set(cell.measures) <= set(read_json(path)["measures"])


def run_cell(cell, runs, processes):
    """Trains and scores one cell; one that is trained and lacks a measure is scored only. Adds to its wall time."""
    folder = Path(runs) / cell.folder
    began = time.monotonic()
    try:
        _measure(cell, folder, processes)
    finally:
        _add_seconds(folder, time.monotonic() - began)


def _measure(cell, folder, processes):
    """Makes a cell's missing scores and writes them to its folder."""
    old = read_json(folder / RECORD) if (folder / RECORD).exists() else None
    missing = [name for name in cell.measures if not old or name not in old["measures"]]
    flags = [flag for name in missing for flag in ("--measure", name)]
    if old:
        scores = {**old["scores"], **processes.trainers(["evaluate", str(folder), *flags], cell.name)}
    else:
        scores = _trained(cell, folder, flags, processes)
    write_json(folder / RECORD, {"measures": [*(old["measures"] if old else ()), *missing], "scores": scores})


def _trained(cell, folder, flags, processes):
    """The scores of a run that is started or gone on with."""
    command = ["run", cell.system, "--dataset", cell.dataset, "--preset", cell.preset]
    command += ["--seed", str(cell.seed), "--run-dir", str(folder), "--resume", *flags]
    for name, value in cell.overrides:
        command += ["--set", f"{name}={json.dumps(value)}"]
    return processes.trainers(command, cell.name)["metrics"]


def _add_seconds(folder, seconds):
    """Adds to the wall time of a run that may have been stopped and resumed."""
    if folder.exists():
        path = folder / "seconds.json"
        write_json(path, {"seconds": seconds + (read_json(path)["seconds"] if path.exists() else 0.0)})


def _record(cell, runs):
    """What the results file says of a cell."""
    folder = Path(runs) / cell.folder
    record = {**gather.record(folder), "metrics": read_json(folder / RECORD)["scores"]}
    record["minutes"] = round(read_json(folder / "seconds.json")["seconds"] / 60, 1)
    if (folder / HISTORY).exists():
        record["history"] = read_json(folder / HISTORY)
    return record


def _together(row, todo, runs, records, processes):
    """The record of an ensemble of all seeds of a row."""
    folders = [str(Path(runs) / cell.folder) for cell in todo if cell.label == row.label]
    scores = processes.trainers(["ensemble", *folders], row.label)["ensemble"]
    minutes = round(sum(record["minutes"] for record in records), 1)
    return {**records[0], "metrics": scores, "minutes": minutes, "members": len(folders)}
