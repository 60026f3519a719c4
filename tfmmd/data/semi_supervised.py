"""Streams of labelled and unlabelled rows for semi-supervised training."""

import tensorflow as tf

from tfmmd import checks
from tfmmd.data import labels, stream


def semi_supervised_batches(
    labelled,
    unlabelled,
    batch_size,
    *,
    seed,
    labelled_batch_size=None,
    num_unlabelled=1,
    start_step=0,
    num_steps=None,
) -> tf.data.Dataset:
    """The training stream of a few labelled and many unlabelled rows, each in an order of its own.

    An epoch is one pass over the unlabelled rows, in which the labelled ones come up again and again, in
    permutations of all of them. Every order is a function of (seed, epoch) alone; see `batches` for what
    follows from that.

    Args:
        labelled: Pair of arrays (x `[n, ...]`, y int `[n]` or `[n, 1]`).
        unlabelled: Array `[m, ...]`; may hold the labelled rows too.
        batch_size: Unlabelled rows in a batch over all replicas, `b`.
        seed: The run's seed.
        labelled_batch_size: Labelled rows in a batch, `l`; None takes `batch_size`, which strategies with
            several replicas need.
        num_unlabelled: Batches of unlabelled rows in a step, with independent orders: 2 gives the
            generator's step rows of its own.
        start_step: Step of the first batch, an int or a tf.Variable.
        num_steps: Batches in one iteration; None never ends.

    Returns:
        tf.data.Dataset of ((x `[l, ...]`, y `[l]`), u `[b, ...]`, ...) with `num_unlabelled` times u.

    Example:
        >>> rows = tfmmd.data.balanced_labels(y, per_class=10, seed=1)
        >>> stream = tfmmd.data.semi_supervised_batches((x[rows], y[rows]), x, 100, seed=1)

    Reference: [salimans2016]
    """
    batch_size, seed = checks.positive_int("batch_size", batch_size), checks.int64("seed", seed)
    labelled_size = batch_size if labelled_batch_size is None else labelled_batch_size
    labelled_size = checks.positive_int("labelled_batch_size", labelled_size)
    few, num_few = stream.in_memory("labelled", _pair(labelled))
    many, num_many = stream.in_memory("unlabelled", unlabelled)
    _check_same_rows(few[0], many)
    per_epoch = stream.num_steps_in(num_many, batch_size)
    roles = [f"unlabelled order {i}" for i in range(checks.positive_int("num_unlabelled", num_unlabelled))]
    rows = [stream.Rows(few, num_few, labelled_size, per_epoch * labelled_size, "labelled order")]
    rows += [stream.Rows(many, num_many, batch_size, per_epoch * batch_size, role) for role in roles]

    def finish(step, where):
        return tuple(stream.gather(r, w) for r, w in zip(rows, where))

    return stream.steps(stream.positions(rows, per_epoch, seed), per_epoch, start_step, num_steps, finish)


def _pair(labelled):
    if not isinstance(labelled, (tuple, list)) or len(labelled) != 2:
        checks.fail(
            "`labelled` must be a pair (x, y).", f"labelled of type {type(labelled)}", "Pass both arrays."
        )
    x, y = labelled
    return x, labels.column("labelled[1]", y)


def _check_same_rows(few, many):
    if few.shape[1:] != many.shape[1:] or few.dtype != many.dtype:
        checks.fail(
            "Labelled and unlabelled rows must have the same shape and type.",
            f"labelled {few.dtype.name} {tuple(few.shape)}, unlabelled {many.dtype.name} {tuple(many.shape)}",
            "Load both with the same arguments.",
        )
