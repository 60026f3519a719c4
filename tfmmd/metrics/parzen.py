"""Parzen-window (kernel density) log-likelihood, the score of the GAN, GMMN and AAE tables.

Read it with care: it lies far below the true log-likelihood, it ranks k-means centroids above real data,
and it depends on the number of samples. On MNIST with 10 000 samples and pixels in [0, 1] real training
images score 244 nats and k-means centroids 341 (`ANCHORS`); print them beside a model's score.
"""

import math
import warnings

import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics import arrays
from tfmmd.metrics.kernel_density import log_prob
from tfmmd.metrics.results import ParzenEstimate
from tfmmd.metrics.summed import SummedMetric
from tfmmd.registry import register

GRID = tuple(round(0.01 * i, 2) for i in range(10, 30))  # yujiali/gmmn: 0.10 to 0.29
_FEWEST_PIXELS = 64  # fewer features may be anything
ANCHORS = {"mnist": {"10 000 training images": 244.0, "10 000 k-means centroids": 341.0}}


def parzen_log_likelihood(
    samples, test, validation=None, *, bandwidths=None, check_range=True
) -> ParzenEstimate:
    """Mean log-likelihood of `test` under Gaussian kernels on `samples`, bandwidth chosen on `validation`.

    log p(x) = logsumexp_j(-||x - s_j||**2 / (2 * h**2)) - log(n) - d * log(h * sqrt(2 * pi))

    The published tables use 10 000 samples and images in [0, 1]: a rescaling by `a` shifts the score by
    -d * log(a). Compare only equal numbers of samples.

    Args:
        samples: The model's samples `[n, ...]`; rows of images are flattened.
        test: Held-out data `[m, ...]`, the score.
        validation: Held-out data `[v, ...]` that picks the bandwidth. None is allowed with one bandwidth.
        bandwidths: Candidate standard deviations of the kernels. None takes 0.10, 0.11, ..., 0.29.
        check_range: Refuse data that look like images in [0, 255] or [-1, 1].

    Returns:
        A `ParzenEstimate` with `mean`, `standard_error` and `bandwidth`.

    Raises:
        ValueError: For rows of different size, NaN or inf, no rows, or images in another range.

    Example:
        print(parzen_log_likelihood(model.sample(10_000, seed=1), test_images, validation_images))

    Reference: [breuleux2011], [goodfellow2014], [li2015], [theis2016]
    """
    bandwidths = GRID if bandwidths is None else checks.positive("bandwidths", bandwidths)
    named = {"samples": samples, "test": test}
    if validation is not None:
        named["validation"] = validation
    elif len(bandwidths) > 1:
        checks.fail(*_no_validation(len(bandwidths)))
    named = _checked(named, check_range)
    means = np.zeros(len(bandwidths))
    if validation is not None:
        means = log_prob(named["samples"], named["validation"], np.array(bandwidths)).numpy().mean(axis=1)
    best = int(np.argmax(means))
    values = log_prob(named["samples"], named["test"], np.array(bandwidths[best : best + 1])).numpy()[0]
    moments = values.mean(), values.var(), len(values)
    return _estimate(bandwidths, means, best, moments, len(named["samples"]))


@register
class ParzenLogLikelihood(SummedMetric):
    """Streaming Parzen log-likelihood: fixed samples, held-out data in batches.

    The state is one sum per bandwidth, so memory is bounded, replicas merge and the batch size is free.
    `result()` is the mean of the test points at the bandwidth with the best mean on the validation points;
    `estimate()` gives it with its standard error and the bandwidth. Both refuse to choose among bandwidths
    without validation points; one bandwidth needs none. The samples are not part of the config:
    a loaded metric needs `set_samples`.

    Args:
        samples: The model's samples `[n, ...]`, or None to hand them to `set_samples`.
        bandwidths: Candidate standard deviations. None takes 0.10, 0.11, ..., 0.29.
        check_range: Refuse data that look like images in [0, 255] or [-1, 1].
        name: Name of the metric.

    Example:
        metric = ParzenLogLikelihood(model.sample(10_000, seed=1))
        for batch in validation:
            metric.update_validation(batch)
        for batch in test:
            metric.update_state(batch)
        print(metric.estimate())
    """

    def __init__(
        self, samples=None, *, bandwidths=None, check_range=True, name="parzen_log_likelihood", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.bandwidths = GRID if bandwidths is None else checks.positive("bandwidths", bandwidths)
        self.check_range = check_range
        size = (len(self.bandwidths),)
        self.test_sum, self.test_squares, self.test_count, self.validation_sum, self.validation_count = (
            self.add_weight(shape=shape, initializer="zeros", dtype="float64", name=weight)
            for weight, shape in (
                ("test_sum", size),
                ("test_squares", size),
                ("test_count", ()),
                ("validation_sum", size),
                ("validation_count", ()),
            )
        )
        self.samples = None
        if samples is not None:
            self.set_samples(samples)

    def set_samples(self, samples):
        """Takes new samples `[n, ...]` and forgets what was scored with the old ones."""
        self.samples = _checked({"samples": samples}, self.check_range)["samples"]
        self.reset_state()

    def update_state(self, test, sample_weight=None):
        values = self._log_prob("test", test, sample_weight)
        self.test_sum.assign_add(tf.reduce_sum(values, axis=1))
        self.test_squares.assign_add(tf.reduce_sum(values**2, axis=1))
        self.test_count.assign_add(tf.cast(tf.shape(values)[1], tf.float64))

    def update_validation(self, validation):
        """Adds a batch `[b, ...]` to the data that choose the bandwidth."""
        values = self._log_prob("validation", validation)
        self.validation_sum.assign_add(tf.reduce_sum(values, axis=1))
        self.validation_count.assign_add(tf.cast(tf.shape(values)[1], tf.float64))

    def result(self):
        self._check_validation()
        best = tf.argmax(self.validation_sum.value)
        return tf.cast(self.test_sum.value[best] / self.test_count.value, tf.float32)

    def estimate(self) -> ParzenEstimate:
        """The result with its standard error and bandwidth."""
        count, validation_count = float(self.test_count), float(self.validation_count)
        if count == 0:
            checks.fail("`estimate()` needs test points.", "0 points", "Call update_state first.")
        self._check_validation()
        means = np.asarray(self.validation_sum) / max(validation_count, 1)
        best = int(np.argmax(means))
        mean = np.asarray(self.test_sum)[best] / count
        variance = max(np.asarray(self.test_squares)[best] / count - mean**2, 0.0)
        return _estimate(self.bandwidths, means, best, (mean, variance, count), len(self.samples))

    def get_config(self):
        return {**super().get_config(), "bandwidths": self.bandwidths, "check_range": self.check_range}

    def _check_validation(self):
        """Refuses several bandwidths without validation points; in a graph, when it runs."""
        if len(self.bandwidths) == 1:
            return
        reason = _no_validation(len(self.bandwidths))
        if not tf.executing_eagerly():
            tf.debugging.assert_positive(self.validation_count.value, checks.message(*reason))
        elif float(self.validation_count) == 0:
            checks.fail(*reason)

    def _log_prob(self, name, x, sample_weight=None):
        if self.samples is None:
            checks.fail("The metric needs samples.", "samples=None", "Call `set_samples` first.")
        if sample_weight is not None:
            checks.fail("Points count equally here.", "a sample_weight", "Leave sample_weight out.")
        x = tf.cast(_checked({name: x}, self.check_range)[name], self.samples.dtype)
        checks.same_features(self.samples, x, ("samples", name))
        return log_prob(self.samples, x, np.array(self.bandwidths))


def _estimate(bandwidths, means, best, moments, num_samples):
    """`moments`: mean, variance and number of the test points at the best bandwidth."""
    mean, variance, count = moments
    at_edge = len(bandwidths) > 1 and bandwidths[best] in (min(bandwidths), max(bandwidths))
    if at_edge:
        warnings.warn(
            f"The best bandwidth {bandwidths[best]:.3g} is an edge of the grid [{min(bandwidths):.3g}, "
            f"{max(bandwidths):.3g}]: the score may be too low. Widen `bandwidths`.",
            stacklevel=3,
        )
    return ParzenEstimate(
        mean=float(mean),
        standard_error=math.sqrt(variance / count),
        bandwidth=bandwidths[best],
        bandwidths=tuple(bandwidths),
        validation_means=tuple(float(m) for m in means),
        num_samples=num_samples,
        num_test=int(count),
        at_grid_edge=at_edge,
    )


def _no_validation(num_bandwidths):
    return (
        "The bandwidth is chosen on validation data, never on test data.",
        f"no validation data and {num_bandwidths} bandwidths",
        "Give held-out `validation` rows or a single bandwidth.",
    )


def _checked(named, check_range):
    """Checks all arrays, then gives them as matrices `[n, d]` of one dtype."""
    if check_range:
        for name, x in named.items():
            _check_pixel_range(name, x)
    matrices = arrays.same_dtype(*(arrays.rows(name, x) for name, x in named.items()))
    for name, matrix in zip(named, matrices):
        checks.same_features(matrices[0], matrix, (next(iter(named)), name))
    return dict(zip(named, matrices))


def _check_pixel_range(name, x):
    """Refuses what can only be images in [0, 255] or [-1, 1]."""
    if tf.is_symbolic_tensor(x) or np.prod(checks.shape_of(x)[1:]) < _FEWEST_PIXELS:
        return
    x = np.asarray(x)
    low, high = x.min(initial=0), x.max(initial=0)
    bytes_range = low >= 0 and 100 < high <= 255
    tanh_range = -1 <= low < -0.9 and high <= 1 and np.mean(x <= -0.95) > 0.01
    if bytes_range or tanh_range:
        checks.fail(
            f"`{name}` must be images in [0, 1]: the score depends on the unit of the pixels.",
            f"values in [{low:.3g}, {high:.3g}]",
            "Rescale them, or pass check_range=False if these are no images.",
        )
