"""Choice of bandwidths: the median heuristic, geometric grids, and a report on saturated kernels."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.kernels.base import elementwise_slope
from tfmmd.kernels.pairs import as_samples, squared_distances


def median_bandwidth(x, y=None, *, max_points=1000):
    """Median distance between distinct points of the pooled sample: the usual first guess of a bandwidth.

    This is the median of ||a - b||; some authors use the root of half the median squared distance, which is
    this number divided by sqrt(2).

    Args:
        x: Array or tensor `[n, d]`.
        y: Optional second sample `[m, d]`, pooled with the first.
        max_points: Evenly spaced rows are used where the pooled sample has more.

    Returns:
        A float. 1.0 where all points coincide.

    Raises:
        ValueError: With fewer than 2 rows, or values that are not finite.

    Reference: [gretton2012]
    """
    return _median_distance(_pooled_distances(x, y, max_points))


def geometric_bandwidths(centre, num=5, ratio=2.0):
    """`num` bandwidths around `centre`, each `ratio` times the one before: a tuple of floats.

    Example:
        `kernels.Gaussian(geometric_bandwidths(median_bandwidth(x), 5))`
    """
    centre, ratio = checks.positive_number("centre", centre), checks.positive_number("ratio", ratio)
    num = checks.positive_int("num", num)
    return tuple(centre * ratio ** (i - (num - 1) / 2) for i in range(num))


@dataclass(frozen=True)
class Saturation:
    """How much of a radial kernel is flat on a sample, and what would mend it.

    Attributes:
        flat: Share of pairs on which the kernel hardly changes with the distance: no gradient comes from them.
        too_far: Share of pairs that are flat because the kernel has decayed (bandwidth too small).
        too_near: Share of pairs that are flat because the kernel is still at its top (bandwidth too large).
        median_distance: Median distance of the pairs.
        suggested_bandwidth: The bandwidth that would mend it: the median distance.
    """

    flat: float
    too_far: float
    too_near: float
    median_distance: float
    suggested_bandwidth: float

    def __str__(self):
        reason = "bandwidth too small" if self.too_far >= self.too_near else "bandwidth too large"
        cure = f"; {reason}, try {self.suggested_bandwidth:.3g}" if self.flat > 0.5 else ""
        return (
            f"{self.flat:.1%} of pairs flat ({self.too_far:.1%} too far, {self.too_near:.1%} too near), "
            f"median distance {self.median_distance:.3g}{cure}"
        )


def saturation(kernel, x, y=None, *, max_points=1000, threshold=0.01):
    """Reports the share of pairs on which a radial kernel is flat.

    A pair is flat when |dk / d log r|, with r the squared distance, is below `threshold` times k(0).

    Args:
        kernel: A bounded `tfmmd.kernels.RadialKernel`.
        x: Array or tensor `[n, d]`.
        y: Optional second sample `[m, d]`, pooled with the first.
        max_points: Evenly spaced rows are used where the pooled sample has more.
        threshold: Positive number.

    Returns:
        A `Saturation`.
    """
    if not hasattr(kernel, "of_squared_distance"):
        checks.fail(
            "`saturation` needs a `RadialKernel`.",
            f"kernel={kernel!r}",
            "Ask for the parts of a sum one by one.",
        )
    d2 = tf.constant(_pooled_distances(x, y, max_points))
    value, slope = elementwise_slope(kernel.of_squared_distance, d2)
    top = kernel.of_squared_distance(tf.zeros([], d2.dtype))
    flat = np.abs(slope * d2) < checks.positive_number("threshold", threshold) * np.abs(top)
    far = value.numpy() < 0.5 * top.numpy()
    median = _median_distance(d2.numpy())
    return Saturation(
        float(flat.mean()), float((flat & far).mean()), float((flat & ~far).mean()), median, median
    )


def plot_bandwidths(kernels, x, y=None, *, max_points=1000, axes=None):
    """Draws how well radial kernels tell points apart at each distance, over the distances of the data.

    The curve of a kernel is |dk / d log r| with r the squared distance, over its maximum: it should be high
    where the distances of the data lie.

    Args:
        kernels: A `tfmmd.kernels.RadialKernel`, or a list of them.
        x: Array or tensor `[n, d]`.
        y: Optional second sample `[m, d]`, pooled with the first.
        max_points: Evenly spaced rows are used where the pooled sample has more.
        axes: Matplotlib axes; None makes new ones.

    Returns:
        The axes.
    """
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.subplots()[1]
    d2 = _pooled_distances(x, y, max_points)
    distances, median = np.sqrt(d2[d2 > 0]), _median_distance(d2)
    edges = np.geomspace(min(distances.min(), median / 30), max(distances.max(), median * 30), 80)
    shares, _ = np.histogram(distances, edges)
    axes.stairs(shares / shares.max(), edges, fill=True, color="0.85", label="distances of the data")
    for kernel in kernels if isinstance(kernels, (list, tuple)) else [kernels]:
        slope = elementwise_slope(kernel.of_squared_distance, tf.constant(edges**2))[1]
        change = np.abs(slope.numpy() * edges**2)
        axes.plot(edges, change / change.max(), label=repr(kernel))
    axes.axvline(median, color="0.4", linestyle=":", label=f"median distance {median:.3g}")
    axes.set(xscale="log", xlabel="distance", ylabel="share of the maximum")
    axes.legend(fontsize="small")
    return axes


def _pooled_distances(x, y, max_points):
    """Squared distances of all pairs of distinct rows of the pooled sample, thinned to `max_points` rows."""
    points, other = as_samples(x, x if y is None else y)
    pooled = (points if y is None else tf.concat([points, other], axis=0)).numpy()
    checks.min_rows("x", pooled, 2, "A distance", "Use more data.")
    checks.finite("x", pooled)
    limit = checks.positive_int("max_points", max_points)
    if len(pooled) > limit:
        pooled = pooled[np.linspace(0, len(pooled) - 1, limit).astype(int)]
    d2 = squared_distances(tf.constant(pooled), tf.constant(pooled), same=True).numpy()
    return d2[np.triu_indices(len(pooled), 1)].astype(np.float64)


def _median_distance(d2):
    median = float(np.sqrt(np.median(d2)))
    if median == 0.0:  # more than half of the pairs coincide
        median = float(np.sqrt(d2[d2 > 0].min())) if (d2 > 0).any() else 1.0
    return median
