"""A sample laid out for tiles: centred rows, in blocks of one size that lie on a circle."""

from typing import NamedTuple

import tensorflow as tf

from tfmmd.kernels.pairs import Pairs, num_features

_ENTRIES = 2**21  # of a tile: 8 MB in float32
_ROWS = 800  # of a tile: more do not speed up the products
_ALIGN = 16  # slices at whole multiples of so many rows are views, not copies


class Points(NamedTuple):
    """Rows ready for tiles.

    Attributes:
        centred: Rows less the centre `[l, d]`.
        squares: ||centred||**2 `[l]`.
        along: centre . centred `[l]`, or None where no kernel asks for inner products.
        weights: `[l]`, 0 for rows that only fill a block up.
    """

    centred: tf.Tensor
    squares: tf.Tensor
    along: tf.Tensor | None
    weights: tf.Tensor

    def rows(self, start, size):
        """`size` rows from `start` on; `start` may be a tensor."""
        return self._mapped(lambda part: _rows_of(part, start, size))

    def sliced(self, part):
        """The rows of a slice."""
        return self._mapped(lambda values: values[part])

    def _mapped(self, function):
        return Points(*(None if part is None else function(part) for part in self))


class Circle(NamedTuple):
    """A sample in an odd number of blocks on a circle.

    Attributes:
        points: `Points` of all blocks, then, unless laid out for one turn, of the first half of them again.
        rows: Number of rows `n` of the sample.
        blocks: Number of blocks.
        size: Rows in a block.
        even: Whether all weights are known to be 1.
    """

    points: Points
    rows: int | tf.Tensor
    blocks: int | tf.Tensor
    size: int | tf.Tensor
    even: bool

    def all(self):
        """`Points` of every block once."""
        return self.points.rows(0, self.blocks * self.size)


def circle(sample, weights, centre, layout, *, product, closed=True):
    """The `Circle` of a sample `[n, d]`.

    Args:
        weights: Tensor `[n]`, or None for ones.
        centre: Tensor `[d]`.
        layout: Number of blocks and their size, of `layout_of`.
        product: Whether a kernel asks for inner products.
        closed: Whether blocks are to be met across the end, which takes half of them twice.
    """
    (blocks, size), rows = layout, num_rows(sample)
    padding, again = blocks * size - rows, blocks // 2 * size if closed else 0
    even = weights is None and _is_zero(padding)
    weights = tf.ones([rows], sample.dtype) if weights is None else weights
    at_centre = tf.broadcast_to(centre, [1, num_features(sample)])
    centred = _laid_out(sample, at_centre, padding, again) - centre
    along = tf.linalg.matvec(centred, centre) if product else None
    squares = tf.reduce_sum(tf.square(centred), axis=1)
    weights = _laid_out(weights, tf.zeros([1], sample.dtype), padding, again)
    return Circle(Points(centred, squares, along, weights), rows, blocks, size, even)


def layout_of(sample, columns, tile_rows=None):
    """Number of blocks (odd) and rows in each: ints where the sample's size is known.

    Args:
        sample: Tensor `[n, d]`.
        columns: Largest number of columns that a block of rows may meet at a time.
        tile_rows: Largest number of rows in a block, or None for a choice by size: with few rows of many
            features the shares of a tile cost more to add up than to compute.
    """
    rows, align = num_rows(sample), 1
    if tile_rows is None:
        least = clip(num_features(sample) // 3, _ALIGN, 256)
        wanted = clip(_ENTRIES // clip(columns, 1, None), least, _ROWS)
        tile_rows, align = wanted // _ALIGN * _ALIGN, _ALIGN
    blocks = -(-rows // tile_rows)
    blocks += (blocks + 1) % 2
    return blocks, rows if isinstance(blocks, int) and blocks == 1 else -(-rows // (blocks * align)) * align


def pairs_of(kernel, products, squares, along, centre, *, same=False):
    """The `Pairs` that a kernel asks for, from the products `[n, m]` of centred points.

    Args:
        squares: Pair of ||centred||**2, `[n]` and `[m]`.
        along: Pair of centre . centred, `[n]` and `[m]`, or of None.
        centre: Tensor `[d]`.
        same: Whether the first `n` columns are the rows: their diagonal of distances is exactly 0.
    """
    d2 = product = None
    if kernel.uses_distance:
        d2 = squares[0][:, None] + squares[1] - 2.0 * products
        d2 = tf.maximum(d2, 0.0)  # rounding makes it negative
        d2 = hollow(d2) if same else d2
    if kernel.uses_product:
        dtype = tf.float64 if kernel.of_product_alone else products.dtype
        row, column = (tf.cast(a, dtype) for a in along)
        offset = tf.reduce_sum(tf.square(tf.cast(centre, dtype)))
        product = tf.cast(products, dtype) + ((row + offset)[:, None] + column)
    return Pairs(d2, product, num_features(centre))


def hollow(matrix):
    """`matrix` with a diagonal of zeros."""
    return tf.linalg.set_diag(matrix, tf.zeros_like(tf.linalg.diag_part(matrix)))


def num_rows(x):
    """Number of rows: an int where known, else an int32 scalar."""
    return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]


def clip(value, low, high):
    """`value` between two bounds, all ints or int32 scalars; None is no bound."""
    if all(isinstance(v, int) for v in (value, low, 0 if high is None else high)):
        return max(low, value if high is None else min(value, high))
    return tf.maximum(low, value if high is None else tf.minimum(value, high))


def _laid_out(part, filling, padding, again):
    """`part`, `padding` rows of filling, and the first `again` rows of both once more."""
    if _is_zero(padding) and _is_zero(again):
        return part
    first = clip(num_rows(part), 0, again)
    rest = [_repeated(filling, size) for size in (padding, again - first)]
    return tf.concat([part, rest[0], part[:first], rest[1]], axis=0)


def _repeated(row, times):
    return tf.repeat(row, times, axis=0)


def _is_zero(size):
    return isinstance(size, int) and size == 0


def _rows_of(part, start, size):
    trailing = [num_features(part)] if part.shape.rank == 2 else []
    return tf.slice(part, [start, *[0] * (part.shape.rank - 1)], [size, *trailing])
