"""Sums of a polynomial kernel over all pairs of two samples, tile by tile."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfmmd.kernels import Polynomial

KERNEL = Polynomial()  # (x . y / d + 1)**3: the definition of the KID
TILE_ROWS = 2000  # 2000 x 2000 float32: 16 MB a tile
_FEWEST_TILE_ROWS = 500  # smaller products are slower than the half they save
SHARED_TILE_ROWS = 1000


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


class SharedSums:
    """`PairSums` of many subsets of the rows of two samples, by one pass over all pairs of rows.

    The sums are products of the kernel's tiles with masks of the subsets. They are of the kernel less a constant, so
    that float32 suffices within a tile; the constant cancels in `unbiased` and in variances.

    Args:
        x, y: Samples `[n, d]`, `[m, d]`.
        of_x, of_y: Row numbers of every subset, `[s, size]`.
    """

    def __init__(self, x, y, of_x, of_y):
        self.samples, self.members = (x, y), (of_x, of_y)
        self.masks = [_masks(rows, z) for rows, z in zip(self.members, self.samples)]
        means = [tf.reduce_mean(z, axis=0) for z in self.samples]
        self.centre = KERNEL.of_inner_product(tf.tensordot(*means, 1), x.shape[1])

    def cross(self):
        """Sums over pairs of a row of `x` and one of `y`, subset by subset."""
        (x, y), (a, b) = self.samples, self.masks
        rows, columns, squares = np.zeros(a.shape), np.zeros(b.shape), np.zeros(len(a))
        for i, x_tile in _tiles(x, SHARED_TILE_ROWS):
            for j, y_tile in _tiles(y, SHARED_TILE_ROWS):
                by_row, by_column, tile_squares = self._sums(x_tile, y_tile, a[:, i], b[:, j])
                rows[:, i] += by_row
                columns[:, j] += by_column
                squares += tile_squares
        found = zip(rows, columns, squares, *self.members)
        return [PairSums(r[of_x], c[of_y], q) for r, c, q, of_x, of_y in found]

    def own(self, which):
        """Sums over pairs of different rows of `x` (0) or `y` (1); tiles left of the diagonal serve twice."""
        x, a = self.samples[which], self.masks[which]
        rows, squares = np.zeros(a.shape), np.zeros(len(a))
        for i, x_tile in _tiles(x, SHARED_TILE_ROWS):
            for j, y_tile in _tiles(x[: i.stop], SHARED_TILE_ROWS):
                by_row, by_column, tile_squares = self._sums(x_tile, y_tile, a[:, i], a[:, j], own=i == j)
                rows[:, i] += by_row
                if i != j:
                    rows[:, j] += by_column
                squares += tile_squares if i == j else 2 * tile_squares
        return [PairSums(r[of_x], r[of_x], q) for r, q, of_x in zip(rows, squares, self.members[which])]

    def _sums(self, x, y, a, b, own=False):
        """By row `[s, n]`, by column `[s, m]` and of squares `[s]`, of a tile."""
        product = tf.matmul(x, y, transpose_b=True)
        kernel, squares = _centred(product, self.centre, num_features=x.shape[1], own=own)
        of_squares = tf.reduce_sum(tf.matmul(a, squares) * b, 1)
        sums = tf.matmul(b, kernel, transpose_b=True), tf.matmul(a, kernel), of_squares
        return [s.numpy() for s in sums]


def _masks(members, x):
    masks = np.zeros([len(members), len(x)], x.dtype.as_numpy_dtype)
    masks[np.arange(len(members))[:, None], members] = 1.0
    return masks


@tf.function(jit_compile=True, autograph=False)
def _centred(product, centre, *, num_features, own):
    """The kernel less `centre`, and its square; without the diagonal where x is y."""
    kernel = KERNEL.of_inner_product(product, num_features) - centre
    if own:
        kernel = tf.linalg.set_diag(kernel, tf.zeros(kernel.shape[0], kernel.dtype))
    return kernel, kernel**2


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
