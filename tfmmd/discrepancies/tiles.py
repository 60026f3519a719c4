"""Kernel sums and their gradients, tile by tile: nothing of size n x m is ever held.

With k a function of r = ||x - y||**2 and p = x . y, and G and H the matrices of its derivatives,

    d/dx_i sum_j w_j k(x_i, y_j) = 2 (G w)_i x_i - 2 (G (w y))_i + (H (w y))_i

so that a product of a tile of G or H with [w y, w] is all that the gradient needs. Points are centred: r does
not change, and p = (c + x) . (c + y) with c the centre.
"""

from typing import NamedTuple

import tensorflow as tf

from tfmmd import distribute
from tfmmd.kernels.pairs import Pairs, num_features

_ENTRIES = 2**21  # of a tile: 8 MB in float32
_ROWS = 800  # of a tile: with fewer the products slow down
_ALIGN = 16  # slices at whole multiples of so many rows are views, not copies
_WIDE = 128  # features from which a copy of the points costs more memory than a second pass costs time
_JIT_PAIRS = 2**17  # fewer pairs are not worth the launch of a compiled function


class Points(NamedTuple):
    """A sample ready for tiles, padded with rows of weight 0.

    Attributes:
        centred: `[n, d]`.
        weighted: The centred points times their weights `[n, d]`, for few features with the weights beside
            them, `[n, d + 1]`.
        squares: ||centred||**2 `[n]`.
        along: centre . centred `[n]`.
        weights: `[n]`.
    """

    centred: tf.Tensor
    weighted: tf.Tensor
    squares: tf.Tensor
    along: tf.Tensor
    weights: tf.Tensor

    def rows(self, start, size):
        """`size` rows from `start` on; `start` may be a tensor."""
        return self._mapped(lambda part: _rows_of(part, start, size))

    def repeated(self, size):
        """The points followed by their first `size` rows."""
        return self._mapped(lambda part: tf.concat([part, part[:size]], axis=0))

    def _mapped(self, function):
        """`function` of every part, once for parts that are one tensor."""
        results = {id(part): function(part) for part in {id(p): p for p in self}.values()}
        return Points(*(results[id(part)] for part in self))


class Tiles:
    """The tiles of one discrepancy between two samples `[n, d]` and `[m, d]`.

    Args:
        x: Tensor `[n, d]`.
        y: Tensor `[m, d]`.
        kernel: A kernel of `Pairs`.
        biased: Whether pairs of a row with itself count.
        tile_rows: Rows of a tile, or None for a choice by size.
    """

    def __init__(self, x, y, kernel, *, biased, tile_rows=None):
        self.kernel, self.biased, self.tile_rows = kernel, biased, tile_rows
        self.centre = 0.5 * (tf.reduce_mean(x, axis=0) + tf.reduce_mean(y, axis=0))
        self.exact = kernel.of_product_alone
        self.base_slope = self._slope_at_centre() if self.exact else None
        self.compiled = _worth_compiling(x, y)
        self._compiled_sums = tf.function(self._sums, jit_compile=True)
        self._compiled_pack = tf.function(self._pack, jit_compile=True)

    def within(self, x, weights, *, gradient):
        """sum(w_i w_j k(x_i, x_j)) over pairs of rows of one sample.

        The tiles lie on a circle: a block of rows meets itself and the half of the circle after it. Each pair
        of blocks so meets once, and every step has the same shape.

        Args:
            x: Tensor `[n, d]`.
            weights: Tensor `[n]`, or None for ones.
            gradient: Whether the gradient is wanted.

        Returns:
            Float64 scalar, and the gradient `[n, d]` with respect to `x` or None.
        """
        blocks, size = _layout(_size(x), _size(x) // 2, self.tile_rows, odd=True)
        half = blocks // 2
        circle = self._prepare(x, weights, blocks * size).repeated(half * size)
        twice = tf.concat(
            [tf.ones([size], x.dtype), tf.fill([half * size], tf.constant(2.0, x.dtype))], axis=0
        )

        def step(i, sums):
            columns = circle.rows(i * size, (half + 1) * size)
            rows = columns.rows(0, size)
            twofold = columns.weights * twice
            row_sums, slopes = self._tile(rows, columns, twofold, same=True, gradient=gradient)
            if gradient:
                sums = _added(sums, i[None], _share(slopes, columns))
                after = tf.math.floormod(i + 1 + tf.range(half), blocks)
                sums = _added(sums, after, _share([s[:, size:] for s in slopes], rows, transposed=True))
            return _total(rows.weights, row_sums), sums

        total, sums = _loop(step, blocks, self._zeros(blocks, size, x) if gradient else ())
        return total, 2.0 * self._gradient(sums, circle, _size(x)) if gradient else None

    def cross(self, x, x_weights, y, y_weights, *, gradients):
        """sum(v_i w_j k(x_i, y_j)) over all pairs, by blocks of rows of `x`.

        Args:
            x: Tensor `[n, d]`.
            x_weights: Tensor `[n]`, or None for ones.
            y: Tensor `[m, d]`.
            y_weights: Tensor `[m]`, or None for ones.
            gradients: Pair of bools: whether the gradients with respect to `x` and `y` are wanted.

        Returns:
            Float64 scalar, and the gradients `[n, d]` and `[m, d]`, None where not wanted.
        """
        if gradients == (False, True):  # rows that are summed to the end in one step need no running sum
            total, of_y, of_x = self.cross(y, y_weights, x, x_weights, gradients=(True, False))
            return total, of_x, of_y
        blocks, size = _layout(_size(x), _size(y), self.tile_rows)
        left, right = self._prepare(x, x_weights, blocks * size), self._prepare(y, y_weights, _size(y))

        def step(i, sums):
            rows, (of_x, of_y) = left.rows(i * size, size), sums
            row_sums, slopes = self._tile(rows, right, right.weights, same=False, gradient=any(gradients))
            if gradients[0]:
                of_x = _added(of_x, i[None], _share(slopes, right))
            if gradients[1]:
                of_y += _share(slopes, rows, transposed=True)
            return _total(rows.weights, row_sums), (of_x, of_y)

        empty = tf.zeros([0], x.dtype)
        of_x = self._zeros(blocks, size, x) if gradients[0] else empty
        of_y = self._zeros(1, _size(y), x)[0] if gradients[1] else empty
        total, (of_x, of_y) = _loop(step, blocks, (of_x, of_y))
        of_x = self._gradient(of_x, left, _size(x)) if gradients[0] else None
        return total, of_x, self._gradient(of_y, right, _size(y)) if gradients[1] else None

    def linear_part(self, x, a, y, b, mass, cross_mass):
        """The gradient `[n, d]` that `within` and `cross` leave out.

        The values of kernels of the inner product alone are float64. Their slope at the centre, a linear
        kernel, is taken out of the float32 products of the tiles and put back here in closed form, float64 too.

        Args:
            x: Tensor `[n, d]`, whose gradient it is.
            a: Its weights `[n]`.
            y: Tensor `[m, d]`.
            b: Its weights `[m]`.
            mass: What the sum within `x` is divided by.
            cross_mass: What the sum across is divided by.
        """
        if not self.exact:
            return 0.0
        x64, a, y64, b = (tf.cast(t, tf.float64) for t in (x, a[:, None], y, b[:, None]))
        own = tf.reduce_sum(a * x64, axis=0) - (0.0 if self.biased else a * x64)
        slope = own / mass - tf.reduce_sum(b * y64, axis=0) / cross_mass
        return tf.cast(2.0 * self.base_slope * a * slope, x.dtype)

    def _slope_at_centre(self):
        square = tf.reduce_sum(tf.square(tf.cast(self.centre, tf.float64)))
        return self.kernel.slopes(Pairs(None, square, num_features(self.centre))).by_product

    def _prepare(self, x, weights, size):
        """`Points` of a sample, padded to `size` rows."""
        padding = size - _size(x)
        centred = tf.pad(x - self.centre, [[0, padding], [0, 0]])
        weighted = centred if weights is None else centred * tf.pad(weights, [[0, padding]])[:, None]
        weights = tf.pad(tf.ones_like(x[:, 0]) if weights is None else weights, [[0, padding]])
        if x.shape[1] is not None and x.shape[1] < _WIDE:
            weighted = tf.concat([weighted, weights[:, None]], axis=1)
        along = tf.linalg.matvec(centred, self.centre)
        return Points(centred, weighted, tf.reduce_sum(tf.square(centred), axis=1), along, weights)

    def _tile(self, rows, columns, weights, *, same, gradient):
        """Sums `[rows]` of the kernel over weighted columns, and the list of its slopes `[rows, columns]`."""
        products = tf.matmul(rows.centred, columns.centred, transpose_b=True)
        ingredients = products, (rows.squares, columns.squares), (rows.along, columns.along), weights
        if not self.compiled:
            value, slopes = self._elements(*ingredients[:3], same, gradient)
            return tf.linalg.matvec(value, tf.cast(weights, value.dtype)), slopes
        if not gradient or self.kernel.uses_product:
            return self._compiled_sums(*ingredients, same, gradient)
        packed = self._compiled_pack(*ingredients, same)
        return tf.reduce_sum(tf.math.real(packed), axis=1), [tf.math.imag(packed)]

    def _sums(self, products, squares, along, weights, same, gradient):
        value, slopes = self._elements(products, squares, along, same, gradient)
        return tf.reduce_sum(value * tf.cast(weights, value.dtype), axis=1), slopes

    def _pack(self, products, squares, along, weights, same):
        """Weighted values and slopes as one complex matrix: XLA makes one pass over the entries for one output."""
        value, slopes = self._elements(products, squares, along, same, True)
        return tf.complex(value * weights, slopes[0])

    def _elements(self, products, squares, along, same, gradient):
        """The kernel and the list of its slopes, entry by entry, from the products of centred points."""
        pairs = self._pairs(products, squares, along, same)
        if not gradient:
            value, slopes = self.kernel.of_pairs(pairs), (None, None)
        else:
            value, *slopes = self.kernel.slopes(pairs)
            slopes = [None, slopes[1] - self.base_slope] if self.exact else slopes
        if same:
            value = value if self.biased else _hollow(value)
            slopes = self._without_diagonal(*slopes)
        return value, [tf.cast(s, products.dtype) for s in slopes if s is not None]

    def _without_diagonal(self, by_distance, by_product):
        """Slopes of one sample: the distance of a row to itself is constant, its product is not."""
        by_distance = by_distance if by_distance is None else _hollow(by_distance)
        return by_distance, by_product if by_product is None or self.biased else _hollow(by_product)

    def _pairs(self, products, squares, along, same):
        d2 = product = None
        if self.kernel.uses_distance:
            d2 = squares[0][:, None] + squares[1] - 2.0 * products
            d2 = tf.maximum(d2, 0.0)  # rounding makes it negative
            d2 = _hollow(d2) if same else d2
        if self.kernel.uses_product:
            dtype = tf.float64 if self.exact else products.dtype
            row, column = (tf.cast(a, dtype) for a in along)
            offset = tf.reduce_sum(tf.square(tf.cast(self.centre, dtype)))
            product = tf.cast(products, dtype) + ((row + offset)[:, None] + column)
        return Pairs(d2, product, num_features(self.centre))

    def _zeros(self, blocks, size, x):
        kinds = self.kernel.uses_distance + self.kernel.uses_product
        return tf.zeros([blocks, size, kinds * (num_features(x) + 1)], x.dtype)

    def _gradient(self, sums, points, rows):
        """The gradient `[rows, d]` from sums of [w y, w] by slopes, `[..., d + 1]` for each kind of slope."""
        d = num_features(points.centred)
        sums = tf.reshape(sums, [-1, tf.shape(sums)[-1]])[:rows]
        result = 0.0
        if self.kernel.uses_distance:
            result += 2.0 * (sums[:, d : d + 1] * points.centred[:rows] - sums[:, :d])
        if self.kernel.uses_product:
            of_product = sums[:, -d - 1 :]
            result += of_product[:, :d] + of_product[:, d:] * self.centre
        return points.weights[:rows, None] * result


def _worth_compiling(x, y):
    """Whether XLA gains on the entry by entry part: on one CPU, in a graph, for static sizes, with enough pairs."""
    if tf.executing_eagerly() or None in (*x.shape, *y.shape):
        return False
    if distribute.num_replicas() > 1 or tf.config.list_logical_devices("GPU"):
        return False
    return x.shape[0] * y.shape[0] >= _JIT_PAIRS


def _layout(rows, columns, tile_rows, odd=False):
    """Number of blocks of rows and their size, ints where the sample's size is known."""
    if tile_rows is None:
        tile_rows = _clip(_ENTRIES // _clip(columns, 1, None), _ALIGN, _ROWS) // _ALIGN * _ALIGN
        align = _ALIGN
    else:
        align = 1
    blocks = -(-rows // tile_rows)
    blocks += (blocks + 1) % 2 if odd else 0
    return blocks, rows if isinstance(blocks, int) and blocks == 1 else -(-rows // (blocks * align)) * align


def _clip(value, low, high):
    """`value` between two ints; None is no bound."""
    if isinstance(value, int):
        return max(low, value if high is None else min(value, high))
    return tf.maximum(low, value if high is None else tf.minimum(value, high))


def _loop(step, blocks, sums):
    """Runs `step(i, sums) -> (total, sums)` for all blocks, one after the other, and adds the totals up."""
    if isinstance(blocks, int) and blocks == 1:
        return step(tf.constant(0), sums)

    def body(i, total, sums):
        more, sums = step(i, sums)
        return i + 1, total + more, sums

    start = (tf.constant(0), tf.zeros([], tf.float64), sums)
    return tf.while_loop(lambda i, *_: i < blocks, body, start, parallel_iterations=1)[1:]


def _total(weights, row_sums):
    return tf.reduce_sum(tf.cast(weights, tf.float64) * tf.cast(row_sums, tf.float64))


def _share(slopes, points, transposed=False):
    """Sums of [w y, w] over the columns (or rows) of each slope, side by side."""
    parts = []
    for slope in slopes:
        parts.append(tf.matmul(slope, points.weighted, transpose_a=transposed))
        if points.weighted.shape[1] == points.centred.shape[1]:
            parts.append(tf.linalg.matvec(slope, points.weights, transpose_a=transposed)[:, None])
    return tf.concat(parts, axis=1)


def _added(sums, blocks, update):
    """`sums` `[blocks, size, width]` with the rows of `update` added to the given blocks."""
    update = tf.reshape(update, [-1, tf.shape(sums)[1], tf.shape(sums)[2]])
    return tf.tensor_scatter_nd_add(sums, blocks[:, None], update)


def _hollow(matrix):
    """`matrix` with a diagonal of zeros."""
    return tf.linalg.set_diag(matrix, tf.zeros_like(tf.linalg.diag_part(matrix)))


def _rows_of(part, start, size):
    return tf.slice(part, [start, *[0] * (part.shape.rank - 1)], [size, *_trailing(part)])


def _trailing(part):
    return [num_features(part)] if part.shape.rank == 2 else []


def _size(x):
    """Number of rows: an int where known, else an int32 scalar."""
    return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]
