"""Streams of steps: what the training streams in `batches` are made of."""

from dataclasses import dataclass

import tensorflow as tf

from tfmmd import checks, seeds

LAST_EPOCH = 2**62


@dataclass(frozen=True)
class Rows:
    """Rows in memory with an order of their own.

    Args:
        values: Nested tensors `[n, ...]`.
        count: `n`.
        batch_size: Rows of a batch, `b`.
        role: Name of the order; None takes the rows as they stand.
    """

    values: object
    count: int
    batch_size: int
    role: str | None


def in_memory(name, x):
    """Nested arrays `[n, ...]` as tensors on the CPU, and n; refuses NaN, inf, no rows and unequal n."""
    for leaf in tf.nest.flatten(x):
        checks.not_empty(name, checks.finite(name, leaf))
    counts = [len(leaf) for leaf in tf.nest.flatten(x)]
    if len(set(counts)) != 1:
        checks.fail(
            f"All arrays of `{name}` must have the same number of rows.", f"rows={counts}", "Pair them row by row."
        )
    with tf.device("/device:CPU:0"):
        return tf.nest.map_structure(tf.convert_to_tensor, x), counts[0]


def order(count, length, seed, epoch, role):
    """The rows of an epoch, int64 `[length]`: whole permutations of `count` rows, one after the other.

    A function of (seed, epoch, role) alone; every row comes up equally often, give or take one.
    """
    positions = tf.range(count, dtype=tf.int64)
    if role is None:
        return positions[:length]
    pair = seeds.pair(seed, epoch, role)
    if length <= count:
        return tf.random.experimental.stateless_shuffle(positions, pair, alg="philox")[:length]
    keys = tf.random.stateless_uniform([-(-length // count), count], pair, None, None, tf.int64, "philox")
    return tf.reshape(tf.argsort(keys, axis=1), [-1])[:length]


def gathered(rows, per_epoch, seed):
    """The epoch function of `steps` that gives (step, one int tensor `[b]` of positions for each of `rows`)."""

    def epoch_steps(epoch, first):
        orders = [order(r.count, min(per_epoch * r.batch_size, r.count if r.role is None else 2**62), seed, epoch, r.role) for r in rows]
        return orders

    return epoch_steps
