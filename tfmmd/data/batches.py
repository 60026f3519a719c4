"""Training streams: batch t is a function of (seed, t) alone, whenever and wherever the stream starts."""

import numpy as np
import tensorflow as tf

from tfmmd import checks, seeds
from tfmmd.data import images

LAST_EPOCH = 2**62
WINDOW = 2048


def steps_per_epoch(num_rows, batch_size, *, drop_remainder=True):
    """Number of batches in one pass over `num_rows` rows."""
    return num_rows // batch_size if drop_remainder else -(-num_rows // batch_size)


def batches(
    x,
    batch_size,
    *,
    seed,
    start_step=0,
    num_steps=None,
    shuffle=True,
    drop_remainder=True,
    binarize=None,
    window=WINDOW,
) -> tf.data.Dataset:
    """The training stream of a data set in memory.

    Batch t holds rows of the order of epoch t // steps_per_epoch, and that order is a function of
    (seed, epoch) alone. A stream that starts at step t therefore continues one that was stopped there, in
    the middle of an epoch too, bit for bit, and does so under any strategy: batches are global ones.

    Args:
        x: Array `[n, ...]`, or a tuple or dict of arrays with equal n; or a tf.data.Dataset of single
            examples for sets too large for memory (see `window`).
        batch_size: Rows in a batch, `b`, over all replicas.
        seed: The run's seed.
        start_step: Step of the first batch, counted from the start of training. An int, or a tf.Variable
            that is read whenever an iteration starts.
        num_steps: Number of batches in an iteration. None never ends: use `fit(steps_per_epoch=...)`.
        shuffle: False takes the rows in their own order in every epoch.
        drop_remainder: Whether to leave out the rows of an epoch that do not fill a batch.
        binarize: None, "threshold" or "bernoulli": draws the first array of `x` anew for every step from
            (seed, step), its values in [0, 1] being probabilities.
        window: For a tf.data.Dataset: rows that are permuted together. Its order mixes rows within
            windows only, and a start in the middle of an epoch reads and skips the rows before it.

    Returns:
        tf.data.Dataset of known cardinality (`num_steps` or infinite) with batches `[b, ...]` of x.

    Raises:
        ValueError: No data, NaN or inf, unequal numbers of rows, or no full batch.

    Example:
        >>> stream = tfmmd.data.batches(x, 100, seed=1, start_step=1234)
        >>> model.fit(stream, steps_per_epoch=600, epochs=5)
    """
    batch_size = checks.positive_int("batch_size", batch_size)
    checks.one_of("binarize", binarize, images.BINARIZE)
    if isinstance(x, tf.data.Dataset):
        rows, epoch = _windowed(x, batch_size, shuffle, drop_remainder, window)
    else:
        x = in_memory("x", x)
        rows = num_rows(x)
        _check_unit(x, binarize)
        epoch = _gathered(x, rows, batch_size, shuffle, drop_remainder)
    per_epoch = check_steps(rows, batch_size, drop_remainder)
    stream = steps(epoch, per_epoch, checks.int64("seed", seed), start_step, num_steps)
    redraw = _redraw(binarize, seed)
    return stream.map(redraw, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
