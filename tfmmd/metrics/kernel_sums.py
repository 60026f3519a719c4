"""Sums of a polynomial kernel over all pairs of two samples, and the variance of their MMD, tile by tile."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfmmd.kernels import Polynomial

KERNEL = Polynomial()  # (x . y / d + 1)**3: the definition of the KID
TILE_ROWS = 2000  # 2000 x 2000 float32: 16 MB a tile


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
    for i, x_tile in _tiles(x):
        for j, y_tile in _tiles(y):
            tile_rows, tile_columns, tile_squares = _sums(x_tile, y_tile)
            rows[i] += tile_rows
            columns[j] += tile_columns
            squares += tile_squares
    return PairSums(rows, columns, squares)


def own_sums(x):
    """`PairSums` of all pairs of different rows of `x` `[n, d]`; every tile off the diagonal serves twice."""
    rows, squares = np.zeros(len(x)), 0.0
    for i, x_tile in _tiles(x):
        for j, y_tile in _tiles(x[: i.start]):
            tile_rows, tile_columns, tile_squares = _sums(x_tile, y_tile)
            rows[i] += tile_rows
            rows[j] += tile_columns
            squares += 2 * tile_squares
        tile_rows, _, tile_squares = _sums(x_tile, x_tile, own=True)
        rows[i] += tile_rows
        squares += tile_squares
    return PairSums(rows, rows, squares)


def unbiased(xx, yy, xy):
    """The unbiased squared MMD of three `PairSums`."""
    n, m = len(xy.rows), len(xy.columns)
    return xx.total / (n * (n - 1)) + yy.total / (m * (m - 1)) - 2 * xy.total / (n * m)


@dataclasses.dataclass(frozen=True)
class VarianceParts:
    """Hoeffding parts of the variance of the unbiased squared MMD: estimates that do not depend on n and m.

    Var = 4 A / n + 4 B / m + 2 Cxx / (n (n - 1)) + 2 Cyy / (m (m - 1)) + 4 Cxy / (n m)

    A and B are the variances of E k(x, X') - E k(x, Y) over x, and of the same with the samples exchanged; C
    are the variances of the kernels with the means of rows and columns taken out.
    """

    first_x: float
    first_y: float
    second_xx: float
    second_yy: float
    second_xy: float

    @classmethod
    def of(cls, xx, yy, xy):
        """Estimates from three `PairSums`; what the finite means add to a variance is taken off."""
        n, m = len(xy.rows), len(xy.columns)
        x_own, x_cross = xx.rows / (n - 1), xy.rows / m
        y_own, y_cross = yy.rows / (m - 1), xy.columns / n
        cxx = _second_own(xx, x_own)
        cyy = _second_own(yy, y_own)
        explained = x_cross.mean() ** 2 + x_cross.var(ddof=1) + y_cross.var(ddof=1)
        cxy = max(xy.squares / (n * m) - explained, 0) / max(1 - 1 / n - 1 / m, 0.5)
        first_x = (x_own - x_cross).var(ddof=1) - cxx / (n - 1) - cxy / m
        first_y = (y_own - y_cross).var(ddof=1) - cyy / (m - 1) - cxy / n
        return cls(first_x, first_y, cxx, cyy, cxy)

    @classmethod
    def mean(cls, parts):
        """The average of several estimates."""
        return cls(*np.mean([dataclasses.astuple(p) for p in parts], axis=0))

    def variance(self, n, m):
        """The variance of the unbiased squared MMD of `n` and `m` rows."""
        first = 4 * self.first_x / n + 4 * self.first_y / m
        second = 2 * self.second_xx / (n * (n - 1)) + 2 * self.second_yy / (m * (m - 1))
        return max(first, 0) + second + 4 * self.second_xy / (n * m)


def _second_own(sums, means):
    n = len(means)
    spread = sums.squares / (n * (n - 1)) - means.mean() ** 2 - 2 * means.var(ddof=1)
    return max(spread, 0) / max(1 - 2 / (n - 1), 0.5)


def _tiles(x):
    for start in range(0, len(x), TILE_ROWS):
        yield slice(start, min(start + TILE_ROWS, len(x))), x[start : start + TILE_ROWS]


def _sums(x, y, own=False):
    product = tf.matmul(x, y, transpose_b=True)
    large = product.shape.num_elements() >= 250_000  # below, compiling costs more than it saves
    function = _entry_sums_xla if large else _entry_sums
    return [s.numpy() for s in function(product, num_features=x.shape[1], own=own)]


def _entry_sums(product, *, num_features, own):
    """Sums of the kernel over rows, columns and of squares; `own` leaves out the diagonal."""
    kernel = tf.cast(KERNEL.of_inner_product(product, num_features), tf.float64)
    if own:
        kernel = tf.linalg.set_diag(kernel, tf.zeros(tf.shape(kernel)[:1], tf.float64))
    return tf.reduce_sum(kernel, 1), tf.reduce_sum(kernel, 0), tf.reduce_sum(kernel**2)


_entry_sums_xla = tf.function(_entry_sums, jit_compile=True, autograph=False)
