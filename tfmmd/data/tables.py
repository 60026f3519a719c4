"""Tables of numbers: CSV, TSV and NumPy files."""

import csv
import os
from pathlib import Path

import numpy as np

from tfmmd import checks
from tfmmd.data import source as sources
from tfmmd.data import splits

PREFIX = "table:"
DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*DELIMITERS, ".npy")


def is_path(name):
    """Whether a name can only be meant as a table: "table:...", or a path that ends in .csv, .tsv or .npy."""
    return isinstance(name, (str, os.PathLike)) and (
        str(name).startswith(PREFIX) or Path(name).suffix.lower() in SUFFIXES
    )


def source(name, split):
    """Rows of a table in its own units, held in memory.

    Of n rows, n // 10 are "validation", n // 10 "test" and the rest "train", by a fixed permutation.

    Args:
        name: The path, also with "table:" before it.
        split: A split expression.
    """
    values = read(name)[1]
    tenth = len(values) // 10
    return sources.from_arrays(values[splits.select(split, splits.thirds(len(values), tenth, tenth))])


def read(name):
    """The columns' names and the rows, float32 `[n, d]`, of a table.

    A first line without numbers names the columns, and so does one that counts them, 0,1,..., as pandas
    writes it; otherwise they are "column_0", "column_1", ...

    Raises:
        ValueError: No such file, an unknown ending, a first line of names and numbers or with an empty name,
            no rows, or an entry that is not a finite number.
    """
    path = Path(str(name).removeprefix(PREFIX)).expanduser()
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in SUFFIXES:
        checks.fail(
            f"A table must be an existing file that ends in {', '.join(SUFFIXES)}.",
            f"path={str(path)!r}",
            "Give its path, and save spreadsheets as CSV.",
        )
    names, values = _read_numpy(path) if suffix == ".npy" else _read_text(path, DELIMITERS[suffix])
    names = names or [f"column_{i}" for i in range(values.shape[1])]
    _check_finite(path, names, values)
    return names, values.astype(np.float32)


def _read_numpy(path):
    values = np.load(path, allow_pickle=False)
    if values.ndim != 2 or values.dtype.kind not in "fiub" or not values.size:
        checks.fail(
            "A .npy table must be a non-empty array of numbers [n, d].",
            f"{path} of shape {values.shape}, dtype {values.dtype}",
            "Save numbers with two axes.",
        )
    return None, values.astype(np.float64)


def _read_text(path, delimiter):
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = [(number, row) for number, row in enumerate(csv.reader(file, delimiter=delimiter), 1) if row]
    names = _names(path, *lines[0]) if lines else None
    lines = lines[1:] if names else lines
    if not lines:
        checks.fail("A table must have rows.", f"{path} with none", "Give a file with a row of numbers.")
    width = len(names or lines[0][1])
    return names, np.array([_numbers(path, number, row, width, names) for number, row in lines], np.float64)


def _names(path, line, row):
    """The names of the columns in the first line, None where it is a row of numbers."""
    names = [cell.strip() for cell in row]
    numbers = [cell for cell in names if _is_number(cell)]
    if len(names) > 1 and names == [str(i) for i in range(len(names))]:
        return names
    if len(numbers) == len(names):
        return None
    if numbers:
        other = next(cell for cell in names if not _is_number(cell))
        checks.fail(
            "The first line of a table must hold names only or numbers only.",
            f"{other!r} beside {numbers[0]!r} in line {line} of {path}",
            "Fill or drop a missing entry, give every column a name that is no number, and write pandas tables "
            "with index=False.",
        )
    if "" in names:
        checks.fail(
            "Every column of a table must have a name.",
            f"an empty name for column {names.index('')} in line {line} of {path}",
            "Name it, or write the pandas table with index=False.",
        )
    return names


def _numbers(path, line, row, width, names):
    if len(row) != width:
        checks.fail(
            f"Every line of a table must have {width} entries.",
            f"{len(row)} in line {line} of {path}",
            "Mend or remove that line.",
        )
    for i, cell in enumerate(row):
        if not _is_number(cell):
            checks.fail(
                "A table must hold numbers only.",
                f"{cell!r} in line {line}, column {names[i] if names else i}, of {path}",
                "Drop rows with missing entries, and turn categories into numbers or 0/1 columns.",
            )
    return [float(cell) for cell in row]


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_finite(path, names, values):
    with np.errstate(over="ignore"):
        bad = np.argwhere(~np.isfinite(values.astype(np.float32)))
    if len(bad):
        row, column = bad[0]
        checks.fail(
            "A table must hold finite numbers, below 3e38.",
            f"{values[row, column]} in row {row}, column {names[column]}, of {path}",
            "Drop or fill such entries.",
        )
