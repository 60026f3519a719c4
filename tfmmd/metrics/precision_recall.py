"""Precision and recall: how much of each set lies on the nearest-neighbour manifold of the other."""

import math

import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics import arrays
from tfmmd.metrics.held_rows import HeldRowsMetric
from tfmmd.metrics.results import PrecisionRecallEstimate
from tfmmd.registry import register

_ROWS_PER_TILE = 1000


def precision_recall(real, fake, *, k=3) -> PrecisionRecallEstimate:
    """Improved precision and recall of generated samples in feature space.

    The manifold of a set is the union of balls around its rows that reach the k-th nearest other row.
    precision = share of fake rows on the real manifold; recall = share of real rows on the fake one. Both
    depend on n, m and k: compare at equal numbers.

    Args:
        real: Features `[n, d]`.
        fake: Features `[m, d]`.
        k: Number of neighbours.

    Returns:
        A `PrecisionRecallEstimate`.

    Raises:
        ValueError: For images, features of different size, NaN or inf, or fewer than k + 1 rows.

    Reference: [kynkaanniemi2019]
    """
    k = checks.positive_int("k", k)
    real, fake = arrays.same_dtype(arrays.features("real", real), arrays.features("fake", fake))
    checks.same_features(real, fake, ("real", "fake"))
    for name, x in (("real", real), ("fake", fake)):
        checks.min_rows(name, x, k + 1, f"A manifold of k={k} neighbours", "Use more samples or a smaller k.")
    centre = tf.reduce_mean(real, axis=0)  # distances stay, rounding shrinks
    real, fake = real - centre, fake - centre
    precision = _share_inside(fake, real, _radii(real, k))
    recall = _share_inside(real, fake, _radii(fake, k))
    return _estimate(precision, recall, k, len(real), len(fake))


@register
class PrecisionRecall(HeldRowsMetric):
    """Streaming precision and recall: `update_state(real, fake)` takes features in batches.

    It keeps the rows (see `max_rows`). `result()` is a dictionary of `precision` and `recall`, `estimate()`
    the `PrecisionRecallEstimate`.

    Args:
        k: Number of neighbours.
        seed: Seed of the subset that `max_rows` keeps.
        max_rows: Most rows to keep a side, a uniform subset of those seen; None keeps all.
        name: Name of the metric.
    """

    def __init__(self, k=3, *, name="precision_recall", **kwargs):
        super().__init__(name=name, **kwargs)
        self.k = checks.positive_int("k", k)

    def estimate(self) -> PrecisionRecallEstimate:
        return precision_recall(self.rows["real"].array(), self.rows["fake"].array(), k=self.k)

    def result(self):
        precision, recall = tf.unstack(self.host_result(lambda e: (e.precision, e.recall), 2))
        return {"precision": precision, "recall": recall}

    def get_config(self):
        return {**super().get_config(), "k": self.k}


def _estimate(precision, recall, k, n, m):
    return PrecisionRecallEstimate(
        precision=precision,
        recall=recall,
        precision_standard_error=math.sqrt(precision * (1 - precision) / m),
        recall_standard_error=math.sqrt(recall * (1 - recall) / n),
        k=k,
        num_real=n,
        num_fake=m,
    )


def _radii(x, k):
    """Squared distance `[n]` of each row to its k-th nearest other row."""
    radii = []
    for start in range(0, len(x), _ROWS_PER_TILE):
        tile = x[start : start + _ROWS_PER_TILE]
        r = _squared_distances(tile, x).numpy()
        r[np.arange(len(tile)), start + np.arange(len(tile))] = np.inf
        radii.append(np.partition(r, k - 1, axis=1)[:, k - 1])
    return np.concatenate(radii)


def _share_inside(points, centres, radii):
    """Share of `points` within the radius of some centre."""
    inside = 0
    for start in range(0, len(points), _ROWS_PER_TILE):
        r = _squared_distances(points[start : start + _ROWS_PER_TILE], centres).numpy()
        inside += int((r <= radii).any(axis=1).sum())
    return inside / len(points)


def _squared_distances(x, y):
    squares = tf.reduce_sum(x * x, axis=1)[:, None] + tf.reduce_sum(y * y, axis=1)
    return tf.maximum(squares - 2 * tf.matmul(x, y, transpose_b=True), 0)
