"""Frechet inception distance: the Wasserstein-2 distance of Gaussian fits to two sets of features."""

import warnings

import numpy as np
import tensorflow as tf

from tfmmd import checks, seeds
from tfmmd.metrics import arrays
from tfmmd.metrics.results import FIDEstimate
from tfmmd.metrics.summed import SummedMetric
from tfmmd.registry import register

_ROWS_PER_BLOCK = 8192
_JITTER = 1e-12  # of the mean variance: a Cholesky factor of a singular covariance exists


def frechet_inception_distance(real, fake, *, num_bootstrap=0, seed=0) -> FIDEstimate:
    """Frechet inception distance (FID) between features of real and generated samples.

    FID = ||m1 - m2||**2 + tr(C1) + tr(C2) - 2 tr((C1 C2)**0.5), means m, covariances C (over n - 1)

    With factors C = F F', the last trace is the sum of the singular values of F1' F2, in float64. Products of
    float32 rows are float32, centred and summed in float64: 1e-7 of the value; hand float64 rows over for
    more. Biased upwards by O(1/n), differently for each model: compare at equal numbers of rows (10 000 or
    50 000).

    Args:
        real: Features `[n, d]`; `n` above `d` is wanted, less is exact for the singular covariances but
            warned about.
        fake: Features `[m, d]`.
        num_bootstrap: Resamples with replacement whose spread is `standard_error`; 0 leaves it NaN.
        seed: Seed of the resamples.

    Returns:
        A `FIDEstimate`.

    Raises:
        ValueError: For images, features of different size, NaN or inf, or a single row.

    Example:
        fid = frechet_inception_distance(extractor(real_images), extractor(model.sample(10_000, seed=1)))

    Reference: [heusel2017]
    """
    real, fake = arrays.features("real", real), arrays.features("fake", fake)
    checks.same_features(real, fake, ("real", "fake"))
    for name, x in (("real", real), ("fake", fake)):
        checks.min_rows(name, x, 2, "A covariance", "Use more samples.")
    real, fake = np.asarray(real), np.asarray(fake)  # no copies
    _warn_few_rows(min(len(real), len(fake)), real.shape[1])
    num_bootstrap = int(checks.non_negative("num_bootstrap", num_bootstrap))
    seed = checks.int64("seed", seed)
    value = _distance(_fit(real), _fit(fake))
    resamples = [_resampled_distance(real, fake, seed, i) for i in range(num_bootstrap)]
    error = float(np.std(resamples, ddof=1)) if num_bootstrap > 1 else np.nan
    return FIDEstimate(value, error, len(real), len(fake), real.shape[1])


@register
class FrechetInceptionDistance(SummedMetric):
    """Streaming Frechet inception distance: `update_state(real, fake)` takes features in batches.

    The state is the count, the sum and the sum of outer products of each side in float64, so memory is
    2 d**2 numbers, replicas merge and the batch size is free. `result()` is the distance, `estimate()` the
    `FIDEstimate`. With fewer rows than features it agrees with the pure function to about 1e-6.

    Args:
        num_features: Number of features, `d`.
        name: Name of the metric.

    Example:
        metric = FrechetInceptionDistance(512)
        metric.update_state(extractor(real_batch), extractor(fake_batch))
        print(metric.estimate())
    """

    def __init__(self, num_features, *, name="frechet_inception_distance", **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_features = d = checks.positive_int("num_features", num_features)
        for side in ("real", "fake"):
            for kind, shape in (("count", ()), ("sum", (d,)), ("products", (d, d))):
                weight = f"{side}_{kind}"
                variable = self.add_weight(shape=shape, initializer="zeros", dtype="float64", name=weight)
                setattr(self, weight, variable)

    def update_state(self, real=None, fake=None):
        """Adds a batch of real features `[b, d]`, of fake features `[c, d]`, or both."""
        if real is not None:
            self._add("real", real, self.real_count, self.real_sum, self.real_products)
        if fake is not None:
            self._add("fake", fake, self.fake_count, self.fake_sum, self.fake_products)

    def result(self):
        state = [v.value for v in self.variables]
        if tf.executing_eagerly():
            return tf.constant(_of_state(*(v.numpy() for v in state)), tf.float32)
        return tf.numpy_function(lambda *values: np.float32(_of_state(*values)), state, tf.float32)

    def estimate(self) -> FIDEstimate:
        """The result with the numbers of rows."""
        value = _of_state(*(np.asarray(v) for v in self.variables))
        n, m = int(self.real_count), int(self.fake_count)
        _warn_few_rows(min(n, m), self.num_features)
        return FIDEstimate(value, np.nan, n, m, self.num_features)

    def get_config(self):
        return {**super().get_config(), "num_features": self.num_features}

    def _add(self, side, batch, count, total, products):
        batch = tf.cast(arrays.features(side, batch), tf.float64)
        if batch.shape[1] not in (None, self.num_features):
            checks.fail(
                f"`{side}` must have num_features={self.num_features} features.",
                f"{side}.shape={checks.shape_of(batch)}",
                "Build the metric with that number.",
            )
        count.assign_add(tf.cast(tf.shape(batch)[0], tf.float64))
        total.assign_add(tf.reduce_sum(batch, axis=0))
        products.assign_add(tf.matmul(batch, batch, transpose_a=True))


def _of_state(*state):
    real, fake = state[:3], state[3:]
    for side, (count, _, _) in (("real", real), ("fake", fake)):
        if count < 2:
            checks.fail("A covariance needs 2 rows.", f"{int(count)} {side} rows", "Call update_state first.")
    return _distance(_moments_fit(*real), _moments_fit(*fake))


def _distance(fit_1, fit_2):
    (mean_1, trace_1, factor_1), (mean_2, trace_2, factor_2) = fit_1, fit_2
    difference = mean_1 - mean_2
    return float(difference @ difference + trace_1 + trace_2 - 2 * _nuclear_norm(factor_1.T @ factor_2))


def _fit(x):
    """Mean `[d]`, trace of the covariance and a factor `[d, r]` of it."""
    n, d = x.shape
    mean = x.mean(axis=0, dtype=np.float64)
    if n <= d:  # the centred rows are an exact factor of a singular covariance
        rows = (x - mean) / np.sqrt(n - 1)
        return mean, np.sum(rows**2), rows.T
    centre = mean.astype(x.dtype)
    products = np.zeros((d, d))
    space = np.empty((min(n, _ROWS_PER_BLOCK), d), x.dtype)
    for start in range(0, n, _ROWS_PER_BLOCK):
        rows = x[start : start + _ROWS_PER_BLOCK]
        block = np.subtract(rows, centre, out=space[: len(rows)])
        products += block.T @ block  # NumPy computes one half; a float32 block's is float32
    covariance = (products - n * np.outer(mean - centre, mean - centre)) / (n - 1)
    return mean, np.trace(covariance), _factor(covariance)


def _moments_fit(count, total, products):
    mean = total / count
    covariance = (products - count * np.outer(mean, mean)) / (count - 1)
    return mean, np.trace(covariance), _factor(covariance)


def _factor(covariance):
    """A square F with F F' = covariance, by Cholesky; by eigenvectors where rounding forbids it."""
    d = len(covariance)
    if not np.isfinite(covariance).all():
        checks.fail(
            "Features must have finite products.",
            "features that overflow",
            "Scale them down, or use float64.",
        )
    try:
        return np.linalg.cholesky(covariance + _JITTER * np.trace(covariance) / d * np.eye(d))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return vectors * np.sqrt(np.maximum(values, 0))


def _nuclear_norm(matrix):
    """The sum of the singular values `[r, s]`; square matrices by symmetric eigenvalues."""
    if matrix.shape[0] != matrix.shape[1]:
        return np.linalg.svd(matrix, compute_uv=False).sum()
    return np.sqrt(np.maximum(np.linalg.eigvalsh(matrix @ matrix.T), 0)).sum()


def _resampled_distance(real, fake, seed, i):
    fits = [_fit(x[_resample(len(x), seed, i, role)]) for role, x in (("real", real), ("fake", fake))]
    return _distance(*fits)


def _resample(n, seed, i, role):
    pair = seeds.pair(seed, i, f"{role} bootstrap")
    return tf.random.stateless_uniform([n], pair, maxval=n, dtype=tf.int32, alg="philox").numpy()


def _warn_few_rows(rows, num_features):
    if rows <= num_features:
        warnings.warn(
            f"FID of {rows} rows with {num_features} features fits a singular Gaussian and is far too high. "
            f"Use more than {num_features} rows, better 10 000.",
            stacklevel=3,
        )
