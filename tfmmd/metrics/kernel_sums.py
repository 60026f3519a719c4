"""Sums of a polynomial kernel over all pairs of two samples, tile by tile.

By NumPy: its product of a matrix with its own transpose computes one half.
"""

import dataclasses

import numpy as np

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


def pair_sums(x, y):
    """`PairSums` of pairs of different rows of `x` `[n, d]`, of those of `y` `[m, d]`, and of all pairs across.

    They are of the kernel less one constant, so that float32 suffices within a tile; it cancels in `unbiased` and
    in variances.
    """
    centre = polynomial(np.dot(x.mean(axis=0), y.mean(axis=0))[None], x.shape[1])
    return _own(x, centre), _own(y, centre), _cross(x, y, centre)


def unbiased(xx, yy, xy):
    """The unbiased squared MMD of three `PairSums`."""
    n, m = len(xy.rows), len(xy.columns)
    return xx.total / (n * (n - 1)) + yy.total / (m * (m - 1)) - 2 * xy.total / (n * m)


def polynomial(products, num_features):
    """(x . y / d + 1)**3 of an array of inner products, which it overwrites: the kernel of the KID."""
    products /= num_features
    products += 1
    cubes = products**2
    cubes *= products
    return cubes


def _own(x, centre):
    rows, squares = np.zeros(len(x)), 0.0
    for i, x_tile in _tiles(x):
        for j, y_tile in _tiles(x[: i.stop]):  # left of the diagonal: each serves twice
            kernel = _kernel(x_tile, y_tile, centre)
            if i == j:
                np.fill_diagonal(kernel, 0)
            else:
                rows[j] += kernel.sum(axis=0, dtype=np.float64)
            rows[i] += kernel.sum(axis=1, dtype=np.float64)
            squares += np.vdot(kernel, kernel) * (1.0 if i == j else 2.0)
    return PairSums(rows, rows, squares)


def _cross(x, y, centre):
    rows, columns, squares = np.zeros(len(x)), np.zeros(len(y)), 0.0
    for i, x_tile in _tiles(x):
        for j, y_tile in _tiles(y):
            kernel = _kernel(x_tile, y_tile, centre)
            rows[i] += kernel.sum(axis=1, dtype=np.float64)
            columns[j] += kernel.sum(axis=0, dtype=np.float64)
            squares += float(np.vdot(kernel, kernel))
    return PairSums(rows, columns, squares)


def _kernel(x, y, centre):
    kernel = polynomial(x @ y.T, x.shape[1])
    kernel -= centre
    return kernel


def _tiles(x):
    for start in range(0, len(x), TILE_ROWS):
        yield slice(start, min(start + TILE_ROWS, len(x))), x[start : start + TILE_ROWS]
