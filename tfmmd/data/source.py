"""The common form of every data set: raw rows of one split in a fixed order."""

import math
from dataclasses import dataclass

import tensorflow as tf

from tfmmd.data import images

BATCH = 1024


@dataclass(frozen=True)
class Source:
    """Raw rows of one split.

    Args:
        batches: tf.data.Dataset of (raw values `[b, ...]`, labels int64 `[b]`) in a fixed order.
        rows: Number of rows, `n`.
        shape: Shape of one row, `(h, w, c)` or `(2,)`.
        white: Raw value that means 1; None for points, which have no value range of their own.
        labelled: Whether the labels mean anything.
        batch_rows: Rows in every element of `batches` but the last.
    """

    batches: tf.data.Dataset
    rows: int
    shape: tuple
    white: float | None
    labelled: bool
    batch_rows: int


def from_arrays(values, labels=None, white=None, image_size=None, crop_size=None):
    """A source from raw values `[n, ...]` in memory and their labels `[n]`, images fitted if asked."""
    shape = tuple(values.shape[1:])
    with tf.device("/device:CPU:0"):
        ids = tf.zeros([len(values)], tf.int64) if labels is None else tf.constant(labels, tf.int64)
        batches = tf.data.Dataset.from_tensor_slices((tf.constant(values), ids))
    batch_rows = rows_per_batch(shape)
    batches = batches.batch(batch_rows)
    if image_size is not None and shape[:2] != (image_size, image_size):
        batches = batches.map(lambda x, y: (images.fit(x, image_size, white, crop_size), y), tf.data.AUTOTUNE)
        shape = (image_size, image_size, shape[2])
    return Source(batches, len(values), shape, white, labels is not None, batch_rows)


def rows_per_batch(shape):
    """Rows decoded and scaled at once: at most `BATCH`, about 16 million values."""
    return max(1, min(BATCH, 2**24 // math.prod(shape)))
