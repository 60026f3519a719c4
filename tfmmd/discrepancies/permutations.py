"""Many partitions of pooled rows at once: their random choice, and the statistic of each.

With a the 0/1 membership of the pooled rows, K their kernel matrix with a zero diagonal and r its row sums,
S_xx = a'Ka, S_xy = a'r - a'Ka and S_yy = 1'r - 2 a'r + a'Ka, so that all partitions are one matrix product. K is
symmetric: with half of its diagonal blocks and the blocks to their right, U, a'Ka = 2 a'Ua, a'r = a'U1 + 1'Ua and
1'r = 2 1'U1. K less a constant gives the same statistics and keeps their digits.
"""

import numpy as np
import tensorflow as tf

from tfmmd.discrepancies.circle import circle, pairs_of

_BLOCK = 1024  # rows and columns of a tile: 4 MB in float32


def subsets(n, size, count, generator):
    """Random subsets of `n` out of `size` rows, all equally likely: bools `[size, count]`, one column each.

    Every row enters by a coin of about the right bias. Given how many are in, all subsets of so many are equally
    likely, and stay so while rows drawn evenly from those in (or out) change sides until `n` are in.

    Args:
        generator: A `numpy.random.Generator`.
    """
    coins = generator.integers(0, 256, size=[size, count], dtype=np.uint8)
    inside = coins < round(256 * n / size)
    excess = np.count_nonzero(inside, axis=0) - n
    wrong = np.flatnonzero(excess)
    while len(wrong):
        rows = generator.integers(size, size=len(wrong))
        hit = inside[rows, wrong] == (excess[wrong] > 0)
        rows, columns = rows[hit], wrong[hit]
        inside[rows, columns] ^= True
        excess[columns] -= np.sign(excess[columns])
        wrong = wrong[excess[wrong] != 0]
    return inside


def partition_statistics(x, y, kernel, inside):
    """Unbiased MMD**2 of the samples as given and of other partitions of their pooled rows.

    Args:
        x: Tensor `[n, d]`.
        y: Tensor `[m, d]`.
        kernel: A `tfmmd.kernels.Kernel`.
        inside: Bools `[n + m, count]`: which rows are in the first sample, `n` of each column.

    Returns:
        Float64 array `[1 + count]`, that of the samples as given first.
    """
    n, m, size = len(x), len(y), len(x) + len(y)
    members = np.empty([size, 2 + inside.shape[1]], x.dtype.as_numpy_dtype)
    members[:, 0], members[:, 1:-1], members[:, -1] = np.arange(size) < n, inside, 1.0
    within, touched, total = _forms(_tiles(tf.concat([x, y], axis=0), kernel), tf.constant(members))
    across, rest = touched - within, total - 2.0 * touched + within
    return within / (n * (n - 1)) + rest / (m * (m - 1)) - 2.0 * across / (n * m)


def _forms(tile, members):
    """a'Ka, a'K1 `[count]` and 1'K1 for the columns a of `members` `[size, count + 1]`, whose last are ones."""
    within, touched, total, centre = 0.0, 0.0, 0.0, None
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(members), _BLOCK)]
    for i, rows in enumerate(blocks):
        product: tf.Tensor = 0.0
        for columns in blocks[i:]:
            k = tile(rows, columns)
            centre = tf.reduce_mean(k) if centre is None else centre
            k -= centre
            k = 0.5 * tf.linalg.set_diag(k, tf.zeros_like(k[0])) if rows is columns else k
            product += tf.matmul(k, members[columns])
        own, others, sums = members[rows, :-1], product[:, :-1], product[:, -1]
        within += 2.0 * _wide(tf.reduce_sum(own * others, axis=0))
        touched += _wide(tf.linalg.matvec(own, sums, transpose_a=True)) + _wide(tf.reduce_sum(others, axis=0))
        total += 2.0 * _wide(sums).sum()
    return within, touched, total


def _tiles(pooled, kernel):
    """The function of two slices -> that tile of the pooled kernel matrix."""
    terms = [
        (factor, _tile_of(pooled if features is None else features(pooled), part))
        for factor, features, part in kernel.terms()
    ]

    def tile(rows, columns):
        values = [tf.cast(one(rows, columns), pooled.dtype) for _, one in terms]
        return tf.add_n([v if f == 1.0 else f * v for (f, _), v in zip(terms, values)])

    return tile


def _tile_of(pooled, kernel):
    """The same for one term of a kernel; points are centred once for all tiles."""
    if not kernel.pairwise:
        return lambda rows, columns: kernel.between(pooled[rows], pooled[columns], same=rows is columns)
    centre = tf.reduce_mean(pooled, axis=0)
    points = circle(pooled, None, centre, (1, len(pooled)), product=kernel.uses_product).points

    def tile(rows, columns):
        left, right = (points.sliced(part) for part in (rows, columns))
        products = tf.matmul(left.centred, right.centred, transpose_b=True)
        ends = (left.squares, right.squares), (left.along, right.along)
        return kernel.of_pairs(pairs_of(kernel, products, *ends, centre, same=rows is columns))

    return tile


def _wide(tensor):
    return tensor.numpy().astype(np.float64)
