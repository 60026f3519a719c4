"""Which rows a split holds: fixed permutations, sums of splits and slices."""

import re

import numpy as np

from tfmmd import checks

_PART = re.compile(r"^(?P<name>\w+)(\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?$")


def permutation(rows, seed=0):
    """The fixed order of the published splits: NumPy's legacy permutation, `[rows]`."""
    return np.random.RandomState(seed).permutation(rows)


def num_held_out(rows):
    """Rows held out of a training set that has no validation split: 5000, at most a tenth."""
    return min(5000, rows // 10)


def held_out(rows):
    """Splits a training set of `rows` rows: the first of the permutation are "validation", the rest "train".

    Reference: [li2015], where the first 5000 of 60 000 MNIST rows are the validation set.
    """
    order, size = permutation(rows), num_held_out(rows)
    return {"train": order[size:], "validation": order[:size]}


def thirds(rows, num_validation, num_test):
    """Splits a set of `rows` rows into "train", "validation" and "test" by the permutation."""
    order, end = permutation(rows), num_validation + num_test
    return {"train": order[end:], "validation": order[:num_validation], "test": order[num_validation:end]}


def select(split, parts):
    """The rows of a split expression such as "train", "train+test" or "train[:100]".

    Args:
        split: Names of `parts` joined by "+", each with an optional slice in rows or percent.
        parts: Dict from a name to an int array `[rows]`.

    Returns:
        int array `[n]`, at least one row.
    """
    rows = np.concatenate([_part(split, text.strip(), parts) for text in str(split).split("+")])
    return not_empty(split, rows)


def not_empty(split, rows):
    """Returns `rows` (anything with a length) when the split has any."""
    if len(rows) == 0:
        checks.fail(
            "`split` must hold at least one row.", f"split={split!r} with 0 rows", "Use a larger slice."
        )
    return rows


def _part(split, text, parts):
    match = _PART.match(text)
    if match is None:
        checks.fail(
            f"`split` must be made of {sorted(parts)}, such as 'train', 'train[:100]' or 'train+test'.",
            f"split={split!r}",
            "Write a slice as name[start:stop], in rows or percent.",
        )
    rows = parts[checks.one_of("split", match["name"], parts)]
    return rows[_bound(match["start"], len(rows)) : _bound(match["stop"], len(rows))]


def _bound(text, rows):
    if text is None or not text.endswith("%"):
        return None if text is None else int(text)
    return round(int(text[:-1]) * rows / 100)
