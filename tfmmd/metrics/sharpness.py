"""Sharpness of images, as the WAE paper reports it."""

import math

import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics.results import SharpnessEstimate

_LAPLACE = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
_IMAGES_PER_BLOCK = 1000


def sharpness(images) -> SharpnessEstimate:
    """Variance of an image after a Laplace filter, averaged over images: blur lowers it.

    Filter [[0, 1, 0], [1, -4, 1], [0, 1, 0]], without padding, on the mean of the colours. It scales with
    the square of the pixels' unit; compare with the value of real images in the same range.

    Args:
        images: Images `[n, h, w, c]` or `[n, h, w]`, at least 3 x 3 pixels.

    Returns:
        A `SharpnessEstimate`: `mean` and its standard error over images, and `minimum`, the least sharp.

    Raises:
        ValueError: For other shapes, NaN or inf.

    Reference: [tolstikhin2018]
    """
    checks.rank("images", images, (3, 4))
    checks.not_empty("images", images)
    checks.finite("images", images)
    shape = checks.shape_of(images)
    if min(shape[1:3]) < 3:
        checks.fail("A Laplace filter needs 3 x 3 pixels.", f"images.shape={shape}", "Use [n, h, w, c].")
    blocks = [images[i : i + _IMAGES_PER_BLOCK] for i in range(0, shape[0], _IMAGES_PER_BLOCK)]
    values = tf.concat([_variances(block) for block in blocks], axis=0).numpy()
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return SharpnessEstimate(float(values.mean()), float(error), float(values.min()), len(values))


def _variances(images):
    images = tf.cast(images, tf.float32)
    grey = images[..., None] if images.shape.rank == 3 else tf.reduce_mean(images, axis=-1, keepdims=True)
    response = tf.nn.conv2d(grey, tf.constant(_LAPLACE)[:, :, None, None], strides=1, padding="VALID")
    return tf.math.reduce_variance(tf.cast(response, tf.float64), axis=[1, 2, 3])
