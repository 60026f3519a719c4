"""Choosing the labelled rows of semi-supervised learning."""

import numpy as np

from tfmmd import checks
from tfmmd.data import splits


def balanced_labels(labels, per_class, seed):
    """Rows of a subset with the same number of labels of every class.

    The rows are permuted by `seed` and the first `per_class` of every class are taken: on MNIST's 60 000
    rows in their original order these are the published subsets.

    Args:
        labels: Integers 0..K-1, `[n]` or `[n, 1]`.
        per_class: Labels of every class.
        seed: 0 to 2**32 - 1.

    Returns:
        int64 array `[K * per_class]`, class after class.

    Raises:
        ValueError: Labels are not whole numbers from 0, or a class has too few rows.

    Example:
        >>> x, y = tfmmd.data.arrays("mnist", "train+validation", with_labels=True)
        >>> rows = tfmmd.data.balanced_labels(y, per_class=10, seed=1)
        >>> labelled = x[rows], y[rows]

    Reference: [salimans2016]
    """
    labels = _check_labels(labels)
    per_class, seed = checks.positive_int("per_class", per_class), checks.int64("seed", seed)
    if not 0 <= seed < 2**32:
        checks.fail("`seed` must lie in [0, 2**32 - 1].", f"seed={seed}", "Use a smaller number.")
    counts = np.bincount(labels)
    if counts.min() < per_class:
        checks.fail(
            f"Every class must have at least per_class={per_class} rows.",
            f"rows of each class={counts.tolist()}",
            "Lower `per_class`, or number the classes 0..K-1 without gaps.",
        )
    order = splits.permutation(len(labels), seed)
    shuffled = labels[order]
    chosen = [order[shuffled == label][:per_class] for label in range(len(counts))]
    return np.concatenate(chosen).astype(np.int64)


def column(name, labels):
    """Labels `[n]` or `[n, 1]`, also a list of them, as an array `[n]`."""
    shape = checks.shape_of(labels)
    labels = np.asarray(labels)
    if shape[1:] == (1,):
        return labels[:, 0]
    if len(shape) != 1:
        checks.fail(
            f"`{name}` must have rank 1.",
            f"{name}.shape={shape}",
            "Give one label for each row, for one-hot rows np.argmax(labels, axis=1).",
        )
    return labels


def _check_labels(labels):
    labels = column("labels", labels)
    checks.tensor("labels", labels)
    checks.not_empty("labels", labels)
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        checks.fail(
            "`labels` must be whole numbers from 0.",
            f"labels of dtype {labels.dtype}, the least {labels.min()}",
            "Number the classes 0..K-1.",
        )
    return labels
