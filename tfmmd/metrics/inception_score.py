"""Inception score: how sure a classifier is of each sample, and how many classes the samples cover."""

import math

import numpy as np
import tensorflow as tf
from scipy.special import log_softmax, xlogy

from tfmmd import checks, seeds
from tfmmd.metrics import arrays
from tfmmd.metrics.held_rows import HeldRowsMetric
from tfmmd.metrics.results import InceptionScoreEstimate
from tfmmd.metrics.rows import canonical_order
from tfmmd.registry import register


def inception_score(
    probabilities, *, from_logits=False, num_splits=10, shuffle=True, seed=0
) -> InceptionScoreEstimate:
    """Inception score: between 1 and the number of classes, the higher the better.

    IS = exp(mean_i KL(p_i || q)),  q = mean_i p_i,  within each split; then the mean over splits

    Few rows bias it downwards: compare at equal numbers of rows and splits, with one classifier. On MNIST
    use the package's own LeNet (10 classes).

    Args:
        probabilities: Class probabilities `[n, c]`, rows that sum to one, or logits with `from_logits`.
        from_logits: Whether the rows are logits.
        num_splits: Number of splits, of near-equal size.
        shuffle: Shuffle by seed before splitting (the score then does not depend on the order of rows);
            False splits consecutive rows as the first implementation did.
        seed: Seed of the shuffle.

    Returns:
        An `InceptionScoreEstimate`.

    Raises:
        ValueError: For rows that are no probabilities, NaN or inf, or fewer rows than splits.

    Reference: [salimans2016]
    """
    num_splits = checks.positive_int("num_splits", num_splits)
    rows, seed = arrays.features("probabilities", probabilities), checks.int64("seed", seed)
    if rows.shape[1] == 0:
        shape = tuple(rows.shape)
        checks.fail(
            "A score needs classes.", f"probabilities.shape={shape}", "Give one column for each class."
        )
    checks.min_rows("probabilities", rows, num_splits, f"A score of {num_splits} splits", "Use fewer splits.")
    logits = _log_probabilities(np.asarray(rows, np.float64), from_logits)
    if shuffle:
        logits = tuple(part[_shuffled(rows, seed)] for part in logits)
    return _estimate(_split_scores(*logits, num_splits), *rows.shape)  # type: ignore[call-arg]


@register
class InceptionScore(HeldRowsMetric):
    """Streaming inception score: `update_state(probabilities)` takes the classifier's rows in batches.

    It keeps the rows (see `max_rows`), c numbers a sample, because splits are drawn from all of them.
    `result()` is the mean, `estimate()` the `InceptionScoreEstimate`.

    Args:
        num_splits: Number of splits.
        from_logits: Whether `update_state` receives logits.
        shuffle: As in `inception_score`.
        seed: Seed of the shuffle.
        max_rows: Most rows to keep, a uniform subset of those seen; None keeps all.
        name: Name of the metric.
    """

    sides = ("probabilities",)

    def __init__(self, num_splits=10, *, from_logits=False, shuffle=True, name="inception_score", **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_splits = checks.positive_int("num_splits", num_splits)
        self.from_logits, self.shuffle = from_logits, shuffle

    def update_state(self, probabilities):
        """Adds a batch of class probabilities (or logits) `[b, c]`."""
        self.append("probabilities", arrays.features("probabilities", probabilities))

    def estimate(self) -> InceptionScoreEstimate:
        rows = self.rows["probabilities"].array()
        settings = {"from_logits": self.from_logits, "shuffle": self.shuffle, "seed": self.seed}
        return inception_score(rows, num_splits=self.num_splits, **settings)

    def get_config(self):
        own = {"num_splits": self.num_splits, "from_logits": self.from_logits, "shuffle": self.shuffle}
        return {**super().get_config(), **own}


def _log_probabilities(rows, from_logits):
    """Probabilities and p log p, both `[n, c]`."""
    if from_logits:
        logs = log_softmax(rows, axis=1)
        return np.exp(logs), np.exp(logs) * logs
    _check_probabilities(rows)
    return rows, xlogy(rows, rows)


def _shuffled(rows, seed):
    noise = seeds.uniform([len(rows)], seeds.pair(seed, 0, "inception score"), dtype=tf.float64).numpy()
    return canonical_order(rows)[np.argsort(noise, kind="stable")]


def _split_scores(p, p_log_p, num_splits):
    """exp(H(q) - mean_i H(p_i)) of each split: the same number, without a logarithm of zero."""
    n = len(p)
    edges = [i * n // num_splits for i in range(num_splits + 1)]
    scores = []
    for a, b in zip(edges[:-1], edges[1:]):
        q = p[a:b].mean(axis=0)
        scores.append(np.exp(p_log_p[a:b].sum(axis=1).mean() - xlogy(q, q).sum()))
    return np.array(scores)


def _estimate(scores, num_samples, num_classes):
    error = scores.std(ddof=1) / math.sqrt(len(scores)) if len(scores) > 1 else math.nan
    return InceptionScoreEstimate(
        mean=float(scores.mean()),
        standard_error=float(error),
        standard_deviation=float(scores.std()),
        num_splits=len(scores),
        num_samples=num_samples,
        num_classes=num_classes,
    )


def _check_probabilities(rows):
    sums = rows.sum(axis=1)
    wrong = (np.abs(sums - 1) > 1e-3) | (rows.min(axis=1) < -1e-6)
    if wrong.any():
        first = int(np.argmax(wrong))
        where = f"the first is row {first} (sum {sums[first]:.4g})"
        checks.fail(
            "Rows of `probabilities` must be non-negative and sum to one.",
            f"{int(wrong.sum())} of {len(rows)} rows are not, {where}",
            "For logits pass from_logits=True.",
        )
