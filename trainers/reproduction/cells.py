"""Runs the cells of a table in processes of their own; what is finished is kept, what was stopped goes on."""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from tfmmd.callbacks.resume import STOPPED_EXIT_CODES
from trainers import gather, runner
from trainers.progress import duration
from trainers.reproduction import tables
from trainers.run_folder import read_json, write_json

RECORD = "cell.json"  # in a run folder: seconds and scores of what is finished
HISTORY = "kid_learning_rate.json"  # where the scheduler was at work


class CellFailed(RuntimeError):
    """A run of a table ended with an error."""


def run_table(table, preset, dataset, num_seeds, runs, report=print, gathered=()):
    """Runs what is not finished of a table.

    Args:
        table: `tables.Table`.
        preset: "quick" or "paper".
        dataset: One of the table's.
        num_seeds: Runs of each row.
        runs: Folder of run folders.
        report: Function of a line for people.
        gathered: Files of `trainers gather`: a run in them that is one of the table's is not run again.

    Returns:
        The table's results, a JSON mapping: `rows` (label -> list of cells) and `experiment`.

    Raises:
        CellFailed: If a run fails; the finished ones are kept.
        trainers.runner.Interrupted: If a run was stopped; the same command goes on.
    """
    todo = tables.cells(table, preset, dataset, num_seeds)
    known = [_found(cell, table, gathered) for cell in todo]
    missing = [found is None and not is_finished(cell, runs) for cell, found in zip(todo, known)]
    began, first = time.monotonic(), sum(missing)
    records, left = [], first
    for number, (cell, found, is_missing) in enumerate(zip(todo, known, missing), start=1):
        if is_missing:
            done = first - left
            rest = duration((time.monotonic() - began) / done * left) if done else "unknown"
            report(
                f"[{table.name} {number}/{len(todo)}] {cell.label}, seed {cell.seed}: {left} to run, time left {rest}"
            )
            run_cell(cell, runs)
            left -= 1
        records.append((cell.label, found or _record(cell, runs)))
    rows = {
        row.label: [r for label, r in records if label == row.label]
        for row in table.rows_for(dataset, preset)
    }
    for row in table.rows_for(dataset, preset):
        if row.ensemble and num_seeds > 1:
            rows[row.label] = [_together(row, todo, runs, rows[row.label])]
    experiment = table.experiment and table.experiment(table.rows_for(dataset, preset), preset, dataset)
    return {"rows": rows, "experiment": experiment}


def _found(cell, table, gathered):
    """The record of a cell in files of `trainers gather`, or None: the same training, and the target's score.

    Members of an ensemble are never found there: their models are needed.
    """
    if any(row.ensemble and row.label == cell.label for row in table.rows):
        return None
    for path in gathered:
        for record in read_json(path)["runs"]:
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


def run_cell(cell, runs):
    """Trains and scores one cell; one that is trained and lacks a measure is scored only."""
    folder = Path(runs) / cell.folder
    old = read_json(folder / RECORD) if (folder / RECORD).exists() else None
    missing = [name for name in cell.measures if not old or name not in old["measures"]]
    flags = [flag for name in missing for flag in ("--measure", name)]
    if old:
        scores = {**old["scores"], **_trainers(cell, ["evaluate", str(folder), *flags])}
    else:
        scores = _trained(cell, folder, flags)
    write_json(folder / RECORD, {"measures": [*(old["measures"] if old else ()), *missing], "scores": scores})


def _trained(cell, folder, flags):
    """The scores of a run that is started or gone on with."""
    command = ["run", cell.system, "--dataset", cell.dataset, "--preset", cell.preset]
    command += ["--seed", str(cell.seed), "--run-dir", str(folder), "--resume", *flags]
    for name, value in cell.overrides:
        command += ["--set", f"{name}={json.dumps(value)}"]
    began = time.monotonic()
    try:
        return _trainers(cell, command)["metrics"]
    finally:
        _add_seconds(folder, time.monotonic() - began)


def _trainers(cell, arguments):
    """The JSON that a command of `python -m trainers` prints."""
    command = [sys.executable, "-m", "trainers", *arguments, "--json"]
    code, out = _call(command)
    if code in STOPPED_EXIT_CODES or code < 0:
        text = f"Stopped in {cell.label}, seed {cell.seed}; the same command goes on."
        raise runner.Interrupted(text, -code if code < 0 else code - 128)
    if code:
        raise CellFailed(
            f"A cell of the table {cell.table!r} failed. Received: exit code {code} of "
            f"`{' '.join(command[1:])}`. Mend what it says above; the finished cells are kept."
        )
    return json.loads(out.splitlines()[-1])


def _call(command):
    """Exit code and standard output of a command; a signal to stop is passed on, and the command saves its state."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {s: signal.signal(s, lambda *_: child.terminate()) for s in signals}
    try:
        out, _ = child.communicate()
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
    return child.returncode, out


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


def _together(row, todo, runs, records):
    """The record of an ensemble of all seeds of a row."""
    members = [cell for cell in todo if cell.label == row.label]
    folders = [str(Path(runs) / cell.folder) for cell in members]
    scores = _trainers(members[0], ["ensemble", *folders])["ensemble"]
    minutes = round(sum(record["minutes"] for record in records), 1)
    return {**records[0], "metrics": scores, "minutes": minutes, "members": len(members)}
