"""Sums of a polynomial kernel over all pairs of two samples, tile by tile."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfmmd.kernels import Polynomial

KERNEL = Polynomial()  # (x . y / d + 1)**3: the definition of the KID
TILE_ROWS = 2000  # 2000 x 2000 float32: 16 MB a tile
_FEWEST_TILE_ROWS = 500  # smaller products are slower than the half they save


@dataclasses.dataclass(frozen=True)
class PairSums:
    """Sums over a kernel matrix: by row `[n]`, by column `[m]` and of squares, in float64."""

    rows: np.ndarray
    columns: np.ndarray
    squares: float

    @property
    def total(self):
        """The sum of all entries."""
        return self.rows.sum()


def cross_sums(x, y):
    """`PairSums` of all pairs of `x` `[n, d]` and `y` `[m, d]`."""
    rows, columns, squares = np.zeros(len(x)), np.zeros(len(y)), 0.0
    for i, x_tile in _tiles(x, TILE_ROWS):
        for j, y_tile in _tiles(y, TILE_ROWS):
            tile_rows, tile_columns, tile_squares = _sums(x_tile, y_tile)
            rows[i] += tile_rows
            columns[j] += tile_columns
            squares += tile_squares.sum()
    return PairSums(rows, columns, squares)


def own_sums(x):
    """`PairSums` of all pairs of different rows of `x` `[n, d]`; entries left of the diagonal serve twice."""
    rows, squares = np.zeros(len(x)), 0.0
    size = min(max(len(x) // 4, _FEWEST_TILE_ROWS), TILE_ROWS)
    for i, x_tile in _tiles(x, size):
        edges = [*range(0, max(i.start, 1), TILE_ROWS), i.stop]
        for start, stop in zip(edges[:-1], edges[1:]):
            earlier = min(stop, i.start) - start  # columns that are not of this tile
            tile_rows, tile_columns, tile_squares = _sums(x_tile, x[start:stop], earlier)
            rows[i] += tile_rows
            rows[start : start + earlier] += tile_columns[:earlier]
            squares += 2 * tile_squares[:earlier].sum() + tile_squares[earlier:].sum()
    return PairSums(rows, rows, squares)


def unbiased(xx, yy, xy):
    """The unbiased squared MMD of three `PairSums`."""
    n, m = len(xy.rows), len(xy.columns)
    return xx.total / (n * (n - 1)) + yy.total / (m * (m - 1)) - 2 * xy.total / (n * m)


def _tiles(x, size):
    for start in range(0, len(x), size):
        yield slice(start, min(start + size, len(x))), x[start : start + size]


def _sums(x, y, own_from=None):
    """Sums over the rows `[n]` and columns `[m]` of a kernel matrix, and of squares over its columns.

    `own_from`: the column from which `y` is `x` itself, where the diagonal is left out.
    """
    product = tf.matmul(x, y, transpose_b=True)
    own_from = None if own_from == len(y) else own_from
    large = product.shape.num_elements() >= 250_000  # below, compiling costs more than it saves
    function = _entry_sums_xla if large else _entry_sums
    return [s.numpy() for s in function(product, num_features=x.shape[1], own_from=own_from)]


def _entry_sums(product, *, num_features, own_from):
    kernel = tf.cast(KERNEL.of_inner_product(product, num_features), tf.float64)
    if own_from is not None:
        kernel = tf.linalg.set_diag(kernel, tf.zeros(kernel.shape[0], tf.float64), k=own_from)
    return tf.reduce_sum(kernel, 1), tf.reduce_sum(kernel, 0), tf.reduce_sum(kernel**2, 0)


_entry_sums_xla = tf.function(_entry_sums, jit_compile=True, autograph=False)
