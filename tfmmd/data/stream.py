"""Streams of steps: what the training streams of `batches` are made of."""

from dataclasses import dataclass

import tensorflow as tf

from tfmmd import checks, seeds

LAST_EPOCH = 2**62
PREFETCHED = 2  # batches


@dataclass(frozen=True)
class Rows:
    """Rows in memory that are taken in an order of their own.

    Args:
        values: Nested tensors `[n, ...]`.
        count: `n`.
        batch_size: Rows in a batch, `b`.
        length: Rows taken in an epoch; beyond `n` they come up again.
        role: Name of the order; None takes the rows as they stand.
    """

    values: object
    count: int
    batch_size: int
    length: int
    role: str | None


def in_memory(name, x):
    """Nested arrays `[n, ...]` as tensors on the CPU, and n; refuses NaN, inf, no rows and unequal n."""
    for leaf in tf.nest.flatten(x):
        checks.not_empty(name, checks.finite(name, leaf))
    counts = [len(leaf) for leaf in tf.nest.flatten(x)]
    if len(set(counts)) != 1:
        received = f"rows={counts}"
        checks.fail(
            f"All arrays of `{name}` must have the same number of rows.", received, "Pair them row by row."
        )
    with tf.device("/device:CPU:0"):
        return tf.nest.map_structure(tf.convert_to_tensor, x), counts[0]


def num_steps_in(count, batch_size, drop_remainder=True):
    """Number of batches in one pass over `count` rows, at least one."""
    steps = count // batch_size if drop_remainder else -(-count // batch_size)
    if steps == 0:
        checks.fail(
            "`batch_size` must not exceed the number of rows.",
            f"batch_size={batch_size} with {count} rows",
            "Use a smaller batch, or drop_remainder=False.",
        )
    return steps


def order(count, length, seed, epoch, role):
    """The rows of an epoch, int64 `[length]`: permutations of all `count` rows, one after the other.

    A function of (seed, epoch, role) alone; every row comes up equally often, give or take one.
    """
    if role is None:
        return tf.range(length, dtype=tf.int64) % count
    pair = seeds.pair(seed, epoch, role)
    if length <= count:
        everyone = tf.range(count, dtype=tf.int64)
        return tf.random.experimental.stateless_shuffle(everyone, pair, alg="philox")[:length]
    keys = tf.random.stateless_uniform([-(-length // count), count], pair, None, None, tf.int64, "philox")
    return tf.reshape(tf.argsort(keys, axis=1), [-1])[:length]


def positions(all_rows, per_epoch, seed):
    """The epoch function of `steps` that gives the positions `[b]` of every member of `all_rows`."""

    def epoch_positions(epoch, first):
        orders = [order(r.count, r.length, seed, epoch, r.role) for r in all_rows]

        def one_step(i):
            return tuple(o[i * r.batch_size : (i + 1) * r.batch_size] for o, r in zip(orders, all_rows))

        return tf.data.Dataset.range(first, per_epoch).map(one_step)

    return epoch_positions


def gather(rows, where):
    """The rows at positions `[b]`; their number is static when every batch is full."""
    if rows.length % rows.batch_size == 0:
        where = tf.ensure_shape(where, [rows.batch_size])
    return tf.nest.map_structure(lambda values: tf.gather(values, where), rows.values)


def steps(epoch_function, per_epoch, start_step, num_steps, finish):
    """A dataset of `finish(step, payload)` from step `start_step` on.

    Args:
        epoch_function: Function of (epoch, first) to the dataset of the payloads of that epoch's steps
            from its step `first` on.
        per_epoch: Steps in an epoch.
        start_step: int or tf.Variable, read whenever an iteration starts.
        num_steps: Steps in an iteration; None never ends.
        finish: Function of (step int64 `[]`, payload) to a batch.
    """
    if not isinstance(start_step, tf.Variable):
        start_step = checks.int64("start_step", start_step)
        checks.non_negative("start_step", start_step)

    def begin(_):
        start = tf.cast(start_step, tf.int64)
        first_epoch, first = start // per_epoch, start % per_epoch
        payloads = tf.data.Dataset.range(first_epoch, LAST_EPOCH).flat_map(
            lambda epoch: epoch_function(epoch, tf.where(epoch == first_epoch, first, 0))
        )
        return tf.data.Dataset.zip((tf.data.Dataset.counter(start), payloads))

    length = (
        tf.data.INFINITE_CARDINALITY if num_steps is None else checks.positive_int("num_steps", num_steps)
    )
    stream = tf.data.Dataset.range(1).flat_map(begin).take(length)
    stream = stream.apply(tf.data.experimental.assert_cardinality(length))
    stream = stream.map(lambda step, payload: finish(step, payload), tf.data.AUTOTUNE)
    return stream.with_options(_options()).prefetch(PREFETCHED)


def untuned():
    """`tf.data.Options` without autotuning.

    The tuning thread can miss the end of an iteration, which then waits for the thread's next turn, for up to
    as long again as the iteration has lasted.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _options():
    options = untuned()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options
