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
    in variances. Every pair of rows of the two samples together is met once.
    """
    n, total = len(x), len(x) + len(y)
    centre = polynomial(np.dot(x.mean(axis=0), y.mean(axis=0))[None], x.shape[1])
    sides = np.repeat(np.eye(2, dtype=x.dtype), [n, total - n], axis=0)  # of which sample a row is
    sums, squares = np.zeros([total, 2]), np.zeros([2, 2])
    blocks = [*_tiles(x, 0), *_tiles(y, n)]
    for count, (i, rows) in enumerate(blocks, start=1):
        for j, columns in blocks[:count]:
            kernel = polynomial(rows @ columns.T, x.shape[1])
            kernel -= centre
            if i == j:
                np.fill_diagonal(kernel, 0)
            else:
                sums[j] += kernel.T @ sides[i]
            sums[i] += kernel @ sides[j]
            kernel *= kernel
            of_sides = sides[i].T @ (kernel @ sides[j])
            squares += of_sides if i == j else of_sides + of_sides.T
    own = (PairSums(sums[k, i], sums[k, i], squares[i, i]) for i, k in enumerate((slice(n), slice(n, None))))
    return *own, PairSums(sums[:n, 1], sums[n:, 0], squares[0, 1])


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


def _tiles(x, first):
    """Places of blocks of rows among those of both samples, and the rows."""
    for start in range(0, len(x), TILE_ROWS):
        rows = x[start : start + TILE_ROWS]
        yield slice(first + start, first + start + len(rows)), rows
