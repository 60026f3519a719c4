"""Pixels: crop, resize, scale to a value range, binarise."""

import math

import numpy as np
import tensorflow as tf

from tfmmd import checks, seeds

UNIT = (0.0, 1.0)
BINARIZE = (None, "threshold", "bernoulli")


def check_range(value_range):
    """Returns `value_range` as two finite floats, the lower one first."""
    numbers = checks.numbers_of("value_range", value_range)
    if len(numbers) != 2 or not np.isfinite(numbers).all() or numbers[0] >= numbers[1]:
        checks.fail(
            "`value_range` must be two finite numbers, the lower one first.",
            f"value_range={value_range!r}",
            "Use (0, 1) for a sigmoid output or (-1, 1) for tanh.",
        )
    return numbers


def crop(images, size):
    """The centre `[..., size, size, c]` of images `[..., h, w, c]`."""
    height, width = images.shape[-3], images.shape[-2]
    if height is None or width is None:
        height, width = tf.shape(images)[-3], tf.shape(images)[-2]
    top, left = (height - size) // 2, (width - size) // 2
    return images[..., top : top + size, left : left + size, :]


def fit(images, size, white, crop_size=None):
    """Centre crop to a square, then Lanczos resize.

    Args:
        images: `[h, w, c]` or `[b, h, w, c]`.
        size: Side of the result.
        white: Largest raw value; overshoot of the filter is clipped to [0, white].
        crop_size: Side of the square cut out; None takes the shorter side.

    Returns:
        float32 `[size, size, c]` or `[b, size, size, c]`, in raw values.
    """
    if crop_size is None:
        crop_size = tf.reduce_min(tf.shape(images)[-3:-1])
    square = tf.cast(crop(images, crop_size), tf.float32)
    resized = tf.image.resize(square, (size, size), method="lanczos3", antialias=True)
    shape = [*images.shape[:-3], size, size, images.shape[-1]]
    return tf.ensure_shape(tf.clip_by_value(resized, 0.0, float(white)), shape)


def scale(unit, value_range):
    """Values in [0, 1] -> the value range."""
    low, high = value_range
    return unit if (low, high) == UNIT else low + (high - low) * unit


def binarize(unit, how, uniform):
    """Pixels in [0, 1] -> 0 or 1.

    Args:
        unit: float32 `[b, ...]` in [0, 1].
        how: None, "threshold" (x > 0.5) or "bernoulli" (u < x).
        uniform: Function that draws the u of "bernoulli", `[b, ...]` in [0, 1).
    """
    if how is None:
        return unit
    return tf.cast(unit > 0.5 if how == "threshold" else uniform() < unit, unit.dtype)


def fixed_uniform(first_row, like, role):
    """Uniform numbers `[b, ...]`, row i a function of first_row + i and the role alone."""
    rows = first_row + tf.range(tf.shape(like, out_type=tf.int64)[0])
    return tf.reshape(seeds.uniform_rows(rows, math.prod(like.shape[1:]), role), tf.shape(like))
