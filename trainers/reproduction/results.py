"""Reads the files that the book is made of; one that is damaged is named, with the way out."""

from pathlib import Path

from tfmmd import checks
from trainers.run_folder import read_json

MAPPINGS = ("metrics", "settings", "versions", "machine")  # of a record of a run, beside its seed and commit
WORDS_OF_COMMAND = 7  # python -m trainers run SYSTEM --dataset NAME
RESTORE = "Restore it from git, or remove it and run its table again."
GATHER = "Give a file that `trainers gather` wrote."


def read(path, table):
    """A results file.

    Args:
        path: The file.
        table: Its `tables.Table`.

    Returns:
        Dict of "rows", label -> records of the row's runs, and "experiment", a dict or None.

    Raises:
        ValueError: If it cannot be read, or lacks what the page shows.
    """
    record = _json(path, RESTORE)
    wrong = _wrong_results(record, table)
    if wrong:
        checks.fail("A results file must hold the runs of its table.", f"{path}, {wrong}", RESTORE)
    return record


def read_gathered(path):
    """The runs in a file of `trainers gather`, a list of records.

    Raises:
        ValueError: If there is no such file, or it holds something else.
    """
    record = _json(path, GATHER)
    runs = record.get("runs") if isinstance(record, dict) else None
    wrong = "without a list `runs`" if not isinstance(runs, list) else _wrong_runs(runs)
    if not wrong and any(len(str(run.get("command")).split()) < WORDS_OF_COMMAND for run in runs):
        wrong = "with a run without its `command`"
    if wrong:
        checks.fail("--gathered takes the runs of a file.", f"{path}, {wrong}", GATHER)
    return runs


def check_json(path, mend=RESTORE):
    """Refuses a file that is no JSON."""
    _json(path, mend)


def check_folder(docs):
    """Refuses a folder of docs that is not there."""
    if not Path(docs).is_dir():
        checks.fail(
            "The page is written into the folder of its results/ and reproduction/.",
            f"no folder {docs}",
            "Give that folder with --docs.",
        )


def _json(path, mend):
    """The content of a JSON file."""
    try:
        return read_json(path)
    except (OSError, ValueError) as error:  # ValueError: neither UTF-8 nor JSON
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(checks.message("The file must hold JSON.", f"{path} ({why})", mend)) from error


def _wrong_results(record, table):
    """What a results file lacks, in words; empty if nothing."""
    if not isinstance(record, dict) or not isinstance(record.get("rows"), dict) or "experiment" not in record:
        return "without `rows` and `experiment`"
    for label, found in record["rows"].items():
        wrong = _wrong_runs(found) if found and isinstance(found, list) else "which is no list of runs"
        if wrong or not all("minutes" in run for run in found):
            return f"row {label!r}: {wrong or 'with a run without `minutes`'}"
    return _wrong_experiment(record["experiment"], record["rows"]) if table.experiment else ""


def _wrong_runs(runs):
    """What records of runs lack, in words; empty if nothing."""
    for run in runs:
        missing = [
            name for name in MAPPINGS if not isinstance(run, dict) or not isinstance(run.get(name), dict)
        ]
        missing = missing or [name for name in ("seed", "commit") if name not in run]
        if missing:
            return f"with a run without {', '.join(f'`{name}`' for name in missing)}"
        if "steps" not in run["settings"] or "platform" not in run["machine"]:
            return "with a run without its `steps` or the `platform` of its machine"
    return ""


def _wrong_experiment(experiment, rows):
    """What the experiment of a table lacks, in words; empty if nothing."""
    if not isinstance(experiment, dict) or not (experiment or rows):
        return "without its experiment"
    missing = [label for label in rows if label not in experiment]
    return f"whose experiment lacks {', '.join(map(repr, missing))}" if missing else ""
