"""Sharpness of images, as the WAE paper reports it."""

import math

import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics.results import SharpnessEstimate
from tfmmd.metrics.summed import SummedMetric
from tfmmd.registry import register

_LAPLACE = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
_IMAGES_PER_BLOCK = 1000


def sharpness(images) -> SharpnessEstimate:
    """Variance of an image after a Laplace filter, averaged over images: blur lowers it.

    Filter [[0, 1, 0], [1, -4, 1], [0, 1, 0]], without padding, on grey images: of red, green and blue the
    luma 0.2989 r + 0.587 g + 0.114 b, as the released code has it, of other channels the mean. It scales with the
    square of the pixels' unit; compare with the value of real images in the same range.

    Args:
        images: Images `[n, h, w, c]` or `[n, h, w]`, at least 3 x 3 pixels.

    Returns:
        A `SharpnessEstimate`: `mean` and its standard error over images, and `minimum`, the least sharp.

    Raises:
        ValueError: For other shapes, NaN or inf.

    Reference: [tolstikhin2018]
    """
    _check(images)
    checks.not_empty("images", images)
    blocks = [images[i : i + _IMAGES_PER_BLOCK] for i in range(0, len(images), _IMAGES_PER_BLOCK)]
    values = tf.concat([_variances(block) for block in blocks], axis=0).numpy()
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return SharpnessEstimate(float(values.mean()), float(error), float(values.min()), len(values))


@register
class Sharpness(SummedMetric):
    """Streaming sharpness: `update_state(images)` takes images in batches.

    The state is the number, the sum and the sum of squares of the images' variances, so memory is bounded,
    replicas merge and the batch size is free. `result()` is the mean, `estimate()` the `SharpnessEstimate`,
    whose `minimum` is NaN here: a minimum is no sum.

    Args:
        name: Name of the metric.
    """

    def __init__(self, *, name="sharpness", **kwargs):
        super().__init__(name=name, **kwargs)
        self.count, self.total, self.squares = (
            self.add_weight(shape=(), initializer="zeros", dtype="float64", name=weight)
            for weight in ("count", "total", "squares")
        )

    def update_state(self, images):
        """Adds a batch of images `[b, h, w, c]` or `[b, h, w]`."""
        _check(images)
        values = _variances(tf.convert_to_tensor(images))
        self.count.assign_add(tf.cast(tf.size(values), tf.float64))
        self.total.assign_add(tf.reduce_sum(values))
        self.squares.assign_add(tf.reduce_sum(values**2))

    def result(self):
        return tf.cast(self.total.value / self.count.value, tf.float32)

    def estimate(self) -> SharpnessEstimate:
        """The result with its standard error."""
        n = int(self.count)
        if n == 0:
            checks.fail("`estimate()` needs images.", "0 images", "Call update_state first.")
        mean = float(self.total) / n
        variance = max(float(self.squares) - n * mean**2, 0.0) / (n - 1) if n > 1 else math.nan
        return SharpnessEstimate(mean, math.sqrt(variance / n), math.nan, n)


def _check(images):
    checks.rank("images", images, (3, 4))
    checks.finite("images", images)
    shape = checks.shape_of(images)
    if min(size for size in (*shape[1:3], 3) if size is not None) < 3:
        checks.fail("A Laplace filter needs 3 x 3 pixels.", f"images.shape={shape}", "Use [n, h, w, c].")


def _variances(images):
    images = tf.cast(images, tf.float32)
    kernel = tf.constant(_LAPLACE)[:, :, None, None]
    response = tf.nn.conv2d(_grey(images), kernel, strides=1, padding="VALID")
    return tf.math.reduce_variance(tf.cast(response, tf.float64), axis=[1, 2, 3])


def _grey(images):
    """Images `[b, h, w, c]` or `[b, h, w]` as grey ones `[b, h, w, 1]`."""
    if images.shape.rank == 3:
        return images[..., None]
    if images.shape[-1] == 3:
        return tf.image.rgb_to_grayscale(images)
    return tf.reduce_mean(images, axis=-1, keepdims=True)
