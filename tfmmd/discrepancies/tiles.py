"""Kernel sums and their gradients, tile by tile: nothing of size n x m is ever held.

With k a function of r = ||x - y||**2 and p = x . y, and G and H the matrices of its derivatives times the
weights of rows and columns,

    d/dx_i sum_j v_i w_j k(x_i, y_j) = 2 (G 1)_i x_i - 2 (G y)_i + (H y)_i

so that the product of a tile of G or H with y is all that the gradient needs. Points are centred: r does not
change, and p = (c + x) . (c + y) with c the centre. What the sums are divided by is a part of the weights, so
that all tiles add to one running sum for each sample.
"""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from tfmmd import distribute
from tfmmd.discrepancies.circle import circle, clip, hollow, layout_of, num_rows, pairs_of
from tfmmd.kernels.pairs import Pairs, num_features

_JIT_PAIRS = 2**17  # fewer pairs are not worth the launch of a compiled function
_UNROLLED = 3  # blocks up to which a loop is written out
_LARGE_SAMPLE = 2**22  # entries of a sample from which memory counts more than time


class Tiles:
    """The tiles of one discrepancy between two samples `[n, d]` and `[m, d]`.

    A sum over pairs of rows comes with the running sums of its gradient: for each sample and each kind of
    slope, M y and M 1, where M is G times -2, or H.

    Args:
        samples: Pair of tensors, `x` `[n, d]` and `y` `[m, d]`.
        weights: Pair of their weights `[n]` and `[m]`, or None for ones.
        kernel: A kernel of `Pairs`.
        biased: Whether pairs of a row with itself count.
        tile_rows: Rows of a tile, or None for a choice by size.
    """

    def __init__(self, samples, weights, kernel, *, biased, tile_rows=None):
        self.samples, self.weights = samples, weights
        self.large = [_is_large(s) for s in samples]
        self.circles: list = [None, None]
        self.kernel, self.biased, self.tile_rows = kernel, biased, tile_rows
        self.centre = 0.5 * tf.add_n([tf.reduce_mean(s, axis=0) for s in samples])
        self.exact = kernel.of_product_alone
        self.base_slope = self._slope_at_centre() if self.exact else None
        self.compiled = _worth_compiling(*samples)
        self._compiled_sums = tf.function(self._sums, jit_compile=True)
        self._compiled_pack = tf.function(self._pack, jit_compile=True)

    def within(self, which, scale, *, gradient):
        """sum(w_i w_j k(x_i, x_j)) over pairs of rows of one sample.

        The tiles lie on a circle: a block of rows meets itself and the half of the circle after it. Each pair
        of blocks so meets once, and every step has the same shape.

        Args:
            which: 0 or 1, the sample.
            scale: Scalar: what the gradient is multiplied by.
            gradient: Whether the gradient is wanted.

        Returns:
            Float64 scalar, and the list of running sums, empty where no gradient is wanted.
        """
        ring = self._circle(which, closed=True)
        self.circles[which] = None if self.large[which] else ring  # nothing large is held from sum to sum
        blocks, size, half = ring.blocks, ring.size, ring.blocks // 2
        once, twice = (
            tf.ones([size], self.centre.dtype),
            tf.fill([half * size], tf.constant(2.0, self.centre.dtype)),
        )
        counts = tf.concat([once, twice], axis=0)

        def step(i, sums):
            columns = ring.points.rows(i * size, (half + 1) * size)
            rows = columns.rows(0, size)
            twofold = columns.weights * counts
            both = scale * rows.weights, None if ring.even else columns.weights
            row_sums, slopes = self._tile(rows, columns, twofold, both, same=True, gradient=gradient)
            if gradient:
                sums = _added(sums, (i, 1), ring, lambda k: _shares(slopes, columns))
                sums = _added(sums, (i + 1, half), ring, lambda k: _turned_shares(slopes, rows, k + 1, size))
            return _total(rows.weights, row_sums), sums

        return _loop(step, blocks, self._nothing(ring) if gradient else [])

    def cross(self, scale, sums, *, gradients):
        """sum(v_i w_j k(x_i, y_j)) over all pairs, by blocks of rows of a sample whose gradient is wanted.

        Args:
            scale: Scalar: what the gradient is multiplied by.
            sums: Pair of lists of running sums, to which those of this sum are added.
            gradients: Pair of bools: whether the gradients with respect to `x` and `y` are wanted.

        Returns:
            Float64 scalar, and the pair of lists of running sums.
        """
        order = (1, 0) if gradients == (False, True) else (0, 1)
        self.circles = [c or self._circle(i, closed=False) for i, c in enumerate(self.circles)]
        left, right = (self.circles[which] for which in order)
        of_left, of_right = (sums[which] for which in order)
        if any(self.large) and self.tile_rows is None and not _written_out(left.blocks):
            left, of_left = _halved(left, of_left)
        columns, size = right.all(), left.size

        def step(i, state):
            of_left, of_right = state
            rows = left.points.rows(i * size, size)
            both = scale * rows.weights, None if right.even else columns.weights
            row_sums, slopes = self._tile(
                rows, columns, columns.weights, both, same=False, gradient=any(gradients)
            )
            if gradients[order[0]]:
                of_left = _added(of_left, (i, 1), left, lambda k: _shares(slopes, columns))
            if gradients[order[1]]:
                of_right = _added(
                    of_right,
                    (0, right.blocks),
                    right,
                    lambda k: _turned_shares(slopes, rows, k, right.size),
                )
            return _total(rows.weights, row_sums), (of_left, of_right)

        total, state = _loop(step, left.blocks, (of_left, of_right))
        return total, tuple(state[which] for which in order)

    def gradient(self, which, sums, mass, cross_mass):
        """The gradient `[n, d]` with respect to a sample, from its running sums after `cross`.

        Args:
            which: 0 or 1, the sample.
            sums: List of running sums.
            mass: What the sum within the sample is divided by.
            cross_mass: What the sum across is divided by.
        """
        ring = self.circles[which]
        sums, centred, parts = [_flat(s)[: ring.rows] for s in sums], ring.points.centred[: ring.rows], []
        if self.kernel.uses_distance:
            parts.append(sums[0] - sums[1][:, None] * centred)
        if self.kernel.uses_product:
            parts.append(sums[-2] + sums[-1][:, None] * self.centre)
        if self.exact:
            parts.append(self._linear_part(which, mass, cross_mass))
        return sum(parts[1:], start=parts[0])

    def _linear_part(self, which, mass, cross_mass):
        """The gradient `[n, d]` that `within` and `cross` leave out.

        The values of kernels of the inner product alone are float64. Their slope at the centre, a linear
        kernel, is taken out of the float32 products of the tiles and put back here in closed form, float64 too.
        """
        own, other = which, 1 - which
        x, y = (tf.cast(self.samples[i], tf.float64) for i in (own, other))
        a, b = (self._column_of_weights(i) for i in (own, other))
        within = tf.reduce_sum(a * x, axis=0) - (0.0 if self.biased else a * x)
        slope = within / mass - tf.reduce_sum(b * y, axis=0) / cross_mass
        return tf.cast(2.0 * self.base_slope * a * slope, self.centre.dtype)

    def _column_of_weights(self, which):
        weights = self.weights[which]
        return 1.0 if weights is None else tf.cast(weights[:, None], tf.float64)

    def _slope_at_centre(self):
        square = tf.reduce_sum(tf.square(tf.cast(self.centre, tf.float64)))
        return self.kernel.slopes(Pairs(None, square, num_features(self.centre))).by_product

    def _circle(self, which, *, closed):
        columns = clip(num_rows(self.samples[0]), num_rows(self.samples[1]), None)
        layout = layout_of(self.samples[which], columns, self.tile_rows)
        sample, product = self.samples[which], self.kernel.uses_product
        return circle(sample, self.weights[which], self.centre, layout, product=product, closed=closed)

    def _nothing(self, ring):
        """Running sums of nothing."""
        kinds = self.kernel.uses_distance + self.kernel.uses_product
        if _written_out(ring.blocks):
            return [[None] * ring.blocks for _ in range(2 * kinds)]
        shape, d, dtype = [ring.blocks, ring.size], num_features(self.centre), self.centre.dtype
        return [tf.zeros(s, dtype) for _ in range(kinds) for s in ([*shape, d], shape)]

    def _tile(self, rows, columns, weights, both, *, same, gradient):
        """Sums `[rows]` of the kernel over weighted columns, and its slopes times the weights of rows and columns.

        Args:
            weights: Of the columns, in the sums of values.
            both: Weights of rows and of columns in the slopes; those of columns are None for ones.

        Returns:
            The sums, and a list of pairs: slopes `[rows, columns]` and their sums `[rows]`.
        """
        products = tf.matmul(rows.centred, columns.centred, transpose_b=True)
        points = products, (rows.squares, columns.squares), (rows.along, columns.along)
        if self.compiled and gradient and not self.kernel.uses_product:
            packed = self._compiled_pack(*points, weights, both, same)
            sums = tf.reduce_sum(packed, axis=1)
            return tf.math.real(sums), [(tf.math.imag(packed), tf.math.imag(sums))]
        function = self._compiled_sums if self.compiled else self._sums
        row_sums, slopes = function(*points, weights, both, same, gradient)
        return row_sums, [(s, tf.reduce_sum(s, axis=1)) for s in slopes]

    def _sums(self, products, squares, along, weights, both, same, gradient):
        value, slopes = self._elements(products, squares, along, both, same, gradient)
        weights = tf.cast(weights, value.dtype)
        if self.compiled:
            return tf.reduce_sum(value * weights, axis=1), slopes
        return tf.linalg.matvec(value, weights), slopes

    def _pack(self, products, squares, along, weights, both, same):
        """Weighted values and slopes as one complex matrix: XLA makes one pass over the entries for one output."""
        value, slopes = self._elements(products, squares, along, both, same, True)
        return tf.complex(value * weights, slopes[0])

    def _elements(self, products, squares, along, both, same, gradient):
        """The kernel and the list of its weighted slopes, entry by entry, from the products of centred points."""
        pairs = pairs_of(self.kernel, products, squares, along, self.centre, same=same)
        if not gradient:
            value, slopes = self.kernel.of_pairs(pairs), [None, None]
        else:
            value, *slopes = self.kernel.slopes(pairs)
            slopes = [None, slopes[1] - self.base_slope] if self.exact else slopes
        if same:
            value = value if self.biased else hollow(value)
            slopes = self._without_diagonal(*slopes)
        kinds = [(f, s) for f, s in zip((-2.0, 1.0), slopes) if s is not None]
        return value, [_weighted(tf.cast(s, products.dtype), f * both[0], both[1]) for f, s in kinds]

    def _without_diagonal(self, by_distance, by_product):
        """Slopes of one sample: the distance of a row to itself is constant, its product is not."""
        by_distance = by_distance if by_distance is None else hollow(by_distance)
        return by_distance, by_product if by_product is None or self.biased else hollow(by_product)


def _worth_compiling(x, y):
    """Whether XLA gains on the entry by entry part: on one CPU, in a graph, for static sizes, with enough pairs."""
    if tf.executing_eagerly() or None in (*x.shape, *y.shape):
        return False
    if distribute.num_replicas() > 1 or tf.config.list_logical_devices("GPU"):
        return False
    return x.shape[0] * y.shape[0] >= _JIT_PAIRS


def _is_large(sample):
    return not sample.shape.is_fully_defined() or sample.shape.num_elements() >= _LARGE_SAMPLE


def _written_out(blocks):
    return isinstance(blocks, int) and (blocks <= _UNROLLED or tf.executing_eagerly())


def _loop(step, blocks, sums):
    """Runs `step(i, sums) -> (total, sums)` for all blocks, and adds the totals up: (total, sums).

    Few blocks are written out; more go one after the other, so that only one tile is held.
    """
    if _written_out(blocks):
        totals = []
        for i in range(blocks):
            total, sums = step(i, sums)
            totals.append(total)
        return tf.add_n(totals), sums

    def body(i, total, sums):
        more, sums = step(i, sums)
        return i + 1, total + more, sums

    start = (tf.constant(0), tf.zeros([], tf.float64), sums)
    return tf.while_loop(lambda i, *_: i < blocks, body, start, parallel_iterations=1)[1:]


def _weighted(matrix, rows, columns):
    matrix *= rows[:, None]
    return matrix if columns is None else matrix * columns


def _total(weights, row_sums):
    return tf.reduce_sum(tf.cast(weights, tf.float64) * tf.cast(row_sums, tf.float64))


def _shares(slopes, columns):
    """What each tile of slopes adds to its rows: M y and M 1 over its columns."""
    return [part for slope, sums in slopes for part in (tf.matmul(slope, columns.centred), sums)]


def _turned_shares(slopes, rows, block, size):
    """What each tile of slopes adds to a block of its columns: M' x and M' 1 over its rows."""
    parts = []
    for slope, _ in slopes:
        slope = tf.slice(slope, [0, block * size], [num_rows(slope), size])
        ones = tf.ones_like(rows.squares)
        parts += [
            tf.matmul(slope, rows.centred, transpose_a=True),
            tf.linalg.matvec(slope, ones, transpose_a=True),
        ]
    return parts


def _added(sums, blocks, ring, share):
    """Running sums with `share(k)` added to the k-th of `blocks`, (first, count), around the circle."""
    first, count = blocks

    def step(k, sums):
        block = (first + k) % ring.blocks
        return [_plus(total, block, part) for total, part in zip(sums, share(k))]

    if _written_out(ring.blocks) or isinstance(count, int) and count == 1:
        for k in range(count):
            sums = step(k, sums)
        return sums
    body, start = lambda k, sums: (k + 1, step(k, sums)), (tf.constant(0), sums)
    return tf.while_loop(lambda k, _: k < count, body, start, parallel_iterations=1)[1]


def _plus(total, block, part):
    """A running sum with a part added: a list of blocks, or a tensor of them that a graph changes in place."""
    if isinstance(total, list):
        total = list(total)
        total[block] = part if total[block] is None else total[block] + part
        return total
    start = tf.convert_to_tensor(block)[None]
    if control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        return tf.tensor_scatter_nd_add(total, start[None], part[None])  # in place in XLA alone
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=total, begin=start, end=start + 1, strides=[1], value=(total[block] + part)[None]
    )


def _halved(ring, sums):
    """Blocks of half the rows, and their running sums: across, they meet twice the columns that they meet within."""
    ring = ring._replace(blocks=2 * ring.blocks, size=ring.size // 2)
    return ring, [_reshaped(s, [ring.blocks, ring.size]) for s in sums]


def _flat(total):
    """A running sum with its blocks one after the other `[blocks * size, ...]`."""
    if isinstance(total, list):
        return tf.concat(total, axis=0)
    return _reshaped(total, [-1])


def _reshaped(total, blocks):
    return tf.reshape(total, tf.concat([blocks, tf.shape(total)[2:]], axis=0))
