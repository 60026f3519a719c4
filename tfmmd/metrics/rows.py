"""Rows that a metric must keep until its result: on the host, optionally bounded by a reservoir."""

import numpy as np
import tensorflow as tf

from tfmmd import checks, seeds

_ROWS_PER_BLOCK = 4096


class Rows:
    """Feature rows collected batch by batch.

    Without a bound every row is kept: 4 bytes a feature, 8 kB for a row of 2048. With `max_rows` the rows
    are a uniform random subset of those seen (reservoir sampling, drawn by seed and arrival number), so
    memory is bounded and the batch size has no influence.

    Args:
        max_rows: Most rows to keep, or None for all.
        seed: Seed of the reservoir.
        role: Name of the reservoir's draws.
    """

    def __init__(self, max_rows=None, seed=0, role="rows"):
        self.max_rows = None if max_rows is None else checks.positive_int("max_rows", max_rows)
        self.seed, self.role = seed, role
        self.clear()

    def clear(self):
        """Forgets all rows."""
        self.seen, self._batches = 0, []

    def append(self, batch):
        """Adds a batch `[b, d]`, an array or eager tensor."""
        batch = np.asarray(batch)
        if self._batches and self._batches[0].shape[1] != batch.shape[1]:
            checks.fail(
                "All batches must have the same number of features.",
                f"{batch.shape[1]} after {self._batches[0].shape[1]}",
                "Use one extractor, or call reset_state between two.",
            )
        if self.max_rows is None:
            self._batches.append(batch.copy())
        else:
            self._keep_some(batch)
        self.seen += len(batch)

    def array(self):
        """All kept rows `[n, d]`."""
        if not self._batches:
            checks.fail("The metric has no rows yet.", "0 rows", "Call update_state first.")
        if len(self._batches) > 1:
            self._batches = [np.concatenate(self._batches)]
        return self._batches[0]

    def merge(self, other):
        """Adds the rows of another store; it must not have dropped any."""
        if other.seen > sum(map(len, other._batches)):
            checks.fail(
                "Only stores that kept every row can be merged.",
                f"{other.seen} rows seen, max_rows={other.max_rows}",
                "Raise `max_rows`.",
            )
        if other.seen:
            self.append(other.array())

    def _keep_some(self, batch):
        """Algorithm R: row i replaces a random kept row with probability max_rows / (i + 1)."""
        free = self.max_rows - self.seen
        if free > 0:
            self._batches.append(batch[:free].copy())
        kept = self.array()
        first = max(self.seen, self.max_rows)
        numbers = np.arange(first, self.seen + len(batch), dtype=np.int64)
        if len(numbers):
            unit = seeds.uniform_rows(numbers, 1, f"{self.role} {self.seed}").numpy()[:, 0]
            places = (unit.astype(np.float64) * (numbers + 1)).astype(np.int64)
            for number, place in zip(numbers, places):
                if place < self.max_rows:
                    kept[place] = batch[number - self.seen]


def canonical_order(x):
    """A permutation `[n]` that brings rows `[n, d]` into an order that does not depend on how they came.

    Sorted by a fixed random projection: a subset drawn by seed is then a function of the set of rows.
    """
    direction = seeds.normal([x.shape[1]], seeds.pair(0, 0, "canonical order"), tf.float64).numpy()
    blocks = range(0, len(x), _ROWS_PER_BLOCK)  # a float64 copy of all rows may be large
    places = [np.asarray(x[i : i + _ROWS_PER_BLOCK], np.float64) @ direction for i in blocks]
    return np.argsort(np.concatenate(places), kind="stable")


def spread_rows(x, number):
    """Row numbers `[number]` spread evenly over the canonical order of `x` `[n, d]`."""
    return canonical_order(x)[(2 * np.arange(number) + 1) * len(x) // (2 * number)]
