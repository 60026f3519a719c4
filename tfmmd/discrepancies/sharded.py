"""MMD**2 of the global batch under a strategy: gathered on every replica, or one share of the rows each.

The gathered form repeats the whole kernel matrix on every replica. In the sharded form a replica forms the rows
of its own examples against the columns of all:

    MMD**2 = sum over replicas of sum_i (sum_j k(x_i, x_j) / A - 2 sum_j k(x_i, y_j) / C) + the like for y

where i runs over the replica's rows. A kernel is symmetric, so the gradient with respect to a row is found in
that row alone, and no gradient travels between replicas; the gathered samples are constants.
"""

from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.eager import record

from tfmmd import checks, distribute
from tfmmd.discrepancies import inputs
from tfmmd.discrepancies.mmd import mmd2, quadratic
from tfmmd.kernels.pairs import all_pairs

ESTIMATORS = ("unbiased", "biased")  # whose sums can be dealt out by rows
_ENTRIES = 2**21  # of the kernel matrix held at a time: 8 MB in float32
_ROWS = 16  # held at a time, at least


def global_mmd2(x, y, kernel, *, estimator="unbiased", shard_rows=False):
    """`mmd2` of the samples of all replicas, from this replica's rows; the same scalar on every replica.

    Outside of a strategy it is `mmd2(x, y, kernel, estimator=estimator)`, but the unbiased form takes a batch of one
    row whose size is unknown, as one without pairs of its own: layers compute their losses at inference too.

    Args:
        x: This replica's rows `[b, d]`; the replicas may hold unequal numbers.
        y: This replica's rows `[c, d]`.
        kernel: A `tfmmd.kernels.Kernel`.
        estimator: As in `mmd2`; `"unbiased"` or `"biased"` with `shard_rows`.
        shard_rows: False: every replica computes the whole kernel matrix of the gathered samples. True: each
            computes its own rows, so kernel work and memory fall by the number of replicas. Value and gradient
            are the same; gradients of gradients need False.

    Returns:
        Scalar `[]`, float32 (float64 for float64 samples).

    Raises:
        ValueError: As `mmd2`, and for an estimator that has no rows to deal out.
    """
    check_shard_rows(shard_rows, estimator)
    if not (shard_rows and distribute.is_replicated()):
        x, y = distribute.gather(x), distribute.gather(y)
        if estimator == "unbiased" and None in (x.shape[0], y.shape[0]):
            x, y = inputs.as_checked_samples(x, y, kernel)
            return quadratic(x, y, kernel, biased=False)
        return mmd2(x, y, kernel, estimator=estimator)
    x, y = inputs.as_checked_samples(x, y, kernel)
    rows = _Rows.of(x, y)
    terms = [
        factor
        * _term(rows if features is None else _Rows.of(features(x), features(y)), part, estimator == "biased")
        for factor, features, part in kernel.terms()
    ]
    return distribute.total(tf.add_n([tf.cast(term, x.dtype) for term in terms]))


def check_shard_rows(shard_rows, estimator):
    """Returns `shard_rows` as a bool when it suits the estimator."""
    if shard_rows and estimator not in ESTIMATORS:
        checks.fail(
            "`shard_rows=True` deals out the rows of `estimator='unbiased'` or `'biased'`.",
            f"estimator={estimator!r}",
            "Leave shard_rows out or change the estimator.",
        )
    return bool(shard_rows)


class _Rows(NamedTuple):
    """The two samples on a replica: its own rows, all rows, and where its own begin among them."""

    own: tuple
    everyone: tuple
    starts: tuple

    @classmethod
    def of(cls, *own):
        starts = (distribute.first_row(tf.shape(sample)[0]) for sample in own)
        return cls(own, tuple(distribute.gather(sample) for sample in own), tuple(starts))


def _term(rows, kernel, biased):
    """This replica's part `[]` of the MMD**2 of one term of a kernel."""
    closed = kernel.pairwise and not kernel.has_variables()
    return (_closed if closed else _plain)(rows, kernel, biased)


def _plain(rows, kernel, biased):
    """The part by automatic differentiation: gradients travel back through the gathered samples."""
    of_xx, of_yy, of_xy = _pair_counts(*rows.everyone, biased)  # type: ignore[call-arg]
    within = []
    for own, everyone, start in zip(*rows):
        to_self = kernel.matching(own, own) if biased else tf.zeros_like(own[:, 0])
        k = kernel.between(own, everyone)
        within.append(_total(tf.linalg.set_diag(k, tf.cast(to_self, k.dtype), k=start)))
    cross = _total(kernel.between(rows.own[0], rows.everyone[1]))
    return tf.cast(within[0] / of_xx + within[1] / of_yy - 2.0 * cross / of_xy, rows.own[0].dtype)


def _closed(rows, kernel, biased):
    """The part with its gradient in closed form, which stays on this replica."""
    part = _Part(kernel, [tf.stop_gradient(sample) for sample in rows.everyone], rows.starts, biased)
    followed = [record.should_record_backprop([sample]) for sample in rows.own]
    eager = tf.executing_eagerly()

    @tf.custom_gradient
    def value(*own):
        constants = [tf.stop_gradient(sample) for sample in own]
        result, known = part(*constants, followed)  # type: ignore[call-arg]

        def backward(upstream):
            missing = [not (follow or eager) for follow in followed]  # a graph may be differentiated later
            late = part(*constants, missing)[1] if any(missing) else known  # type: ignore[call-arg]
            zeros = [tf.zeros_like(sample) for sample in own]
            slopes = [next(s for s in found if s is not None) for found in zip(known, late, zeros)]
            return _first_order_only(upstream, *slopes, *own)

        return result, backward

    return value(*rows.own)


@tf.custom_gradient
def _first_order_only(upstream, slope_x, slope_y, x, y):
    """The gradients `upstream * slope`, which refuse to be differentiated."""

    def backward(*_):
        checks.fail(
            "The sharded MMD has gradients of first order only.",
            "a gradient of its gradient with shard_rows=True",
            "Use shard_rows=False.",
        )

    return [upstream * slope_x, upstream * slope_y], backward


class _Part:
    """This replica's rows of the kernel matrices of x with x, y with y and x with y.

    Args:
        kernel: A kernel of `Pairs`.
        everyone: The gathered samples `[n, d]` and `[m, d]`.
        starts: Where this replica's rows begin in each.
        biased: Whether pairs of a row with itself count.
    """

    def __init__(self, kernel, everyone, starts, biased):
        self.kernel, self.everyone, self.starts, self.biased = kernel, everyone, starts, biased
        self.centre = 0.5 * tf.add_n([tf.reduce_mean(sample, axis=0) for sample in everyone])
        self.counts = _pair_counts(*everyone, biased)  # type: ignore[call-arg]

    def __call__(self, x, y, wanted):
        """The part `[]`, and its gradients with respect to the rows `x` and `y`, None where not wanted.

        The gradient of the whole with respect to a row takes each of its pairs twice, as row and as column.
        """
        of_xx, of_yy, of_xy = self.counts
        xx, slope_xx = self._sums(x, 0, self.starts[0], wanted[0])
        yy, slope_yy = self._sums(y, 1, self.starts[1], wanted[1])
        xy, slope_xy = self._sums(x, 1, None, wanted[0])
        slope_yx = self._sums(y, 0, None, True)[1] if wanted[1] else None
        slopes = [
            2.0 * (within / tf.cast(mass, x.dtype) - cross / tf.cast(of_xy, x.dtype)) if want else None
            for within, mass, cross, want in zip(
                (slope_xx, slope_yy), (of_xx, of_yy), (slope_xy, slope_yx), wanted
            )
        ]
        return tf.cast(xx / of_xx + yy / of_yy - 2.0 * xy / of_xy, x.dtype), slopes

    def _sums(self, rows, other, start, gradient):
        """Sum of the kernel of `rows` `[b, d]` with a gathered sample, and of its gradient by the rows `[b, d]`.

        Rows that are themselves in the sample, from `start` on, meet themselves on a diagonal.
        """
        columns = self.everyone[other]
        count, size = _layout(rows, columns)
        if count is None:
            return self._tile(rows, columns, start, gradient)

        def step(i, total, slopes):
            tile = rows[i * size : (i + 1) * size]
            more, slope = self._tile(tile, columns, None if start is None else start + i * size, gradient)
            return i + 1, total + more, slopes.write(i, slope) if gradient else slopes

        slopes = tf.TensorArray(rows.dtype, count, infer_shape=False, element_shape=[None, rows.shape[1]])
        state = (tf.constant(0), tf.zeros([], tf.float64), slopes)
        _, total, slopes = tf.while_loop(lambda i, *_: i < count, step, state, parallel_iterations=1)
        return total, tf.ensure_shape(slopes.concat(), rows.shape) if gradient else None

    def _tile(self, rows, columns, start, gradient):
        """Sum `[]` of a tile of the kernel matrix, and the gradient `[b, d]` of its rows' sums."""
        kernel = self.kernel
        pairs = all_pairs(rows, columns, distance=kernel.uses_distance, product=kernel.uses_product)
        if pairs.squared_distance is not None:
            pairs = pairs._replace(squared_distance=_cleared(pairs.squared_distance, start))
        if not gradient:
            return _total(self._counted(kernel.of_pairs(pairs), start)), None
        value, by_distance, by_product = kernel.slopes(pairs)
        slope = tf.zeros_like(rows)
        if by_distance is not None:
            by_distance = _cleared(by_distance, start)  # a row's distance to itself does not change
            sums = tf.reduce_sum(by_distance, axis=1, keepdims=True)
            towards = tf.matmul(by_distance, columns - self.centre)
            slope += 2.0 * (sums * (rows - self.centre) - towards)
        if by_product is not None:
            by_product = self._counted(by_product, start)
            slope += tf.cast(tf.matmul(by_product, tf.cast(columns, by_product.dtype)), rows.dtype)
        return _total(self._counted(value, start)), slope

    def _counted(self, matrix, start):
        return matrix if self.biased else _cleared(matrix, start)


def _layout(rows, columns):
    """Number of tiles and their rows, int32 scalars; (None, None) where the sizes say that one tile will do."""
    if None not in (rows.shape[0], columns.shape[0]) and rows.shape[0] * columns.shape[0] <= _ENTRIES:
        return None, None
    size = tf.maximum(_ENTRIES // tf.maximum(tf.shape(columns)[0], 1), _ROWS)
    return (tf.shape(rows)[0] + size - 1) // size, size


def _cleared(matrix, start):
    """`matrix` with zeros where a row meets itself, from column `start` on; None is nowhere."""
    if start is None:
        return matrix
    return tf.linalg.set_diag(matrix, tf.zeros_like(matrix[:, 0]), k=start)


def _pair_counts(x, y, biased):
    """Numbers of pairs that count in float64: within `x` `[n, d]`, within `y` `[m, d]`, across."""
    n, m = (tf.cast(tf.shape(sample)[0], tf.float64) for sample in (x, y))
    within = [tf.maximum(rows * (rows if biased else rows - 1.0), 1.0) for rows in (n, m)]
    return *within, n * m


def _total(k):
    """The sum of all entries: rows in the kernel's dtype, their total in float64."""
    return tf.reduce_sum(tf.cast(tf.reduce_sum(k, axis=1), tf.float64))
