"""Kernel inception distance: the unbiased squared MMD of features under (x . y / d + 1)**3."""

import dataclasses
import math

import numpy as np

from tfmmd import checks, seeds
from tfmmd.metrics import arrays
from tfmmd.metrics.held_rows import HeldRowsMetric
from tfmmd.metrics.kernel_sums import pair_sums, unbiased
from tfmmd.metrics.kid_errors import VarianceParts, block_interval, score_interval, some_rows, typical_slope
from tfmmd.metrics.results import KIDEstimate
from tfmmd.metrics.rows import canonical_order
from tfmmd.registry import register


def kernel_inception_distance(
    real, fake, *, estimator="subsets", num_subsets=100, subset_size=1000, seed=0
) -> KIDEstimate:
    """Kernel inception distance (KID) between features of real and generated samples.

    MMD**2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j),
    k(a, b) = (a . b / d + 1)**3

    Unbiased at every sample size, hence a little below zero at times; never clipped. Values compare within
    one feature extractor only.

    Args:
        real: Features `[n, d]`.
        fake: Features `[m, d]`; `n` and `m` may differ.
        estimator: `"subsets"`, the published one: the mean over random subsets of each sample, drawn without
            replacement and independent of the order of rows; `"blocks"`: the mean over disjoint consecutive
            blocks of at most `subset_size` rows (shuffle first); `"full"`: all pairs, by tiles.
        num_subsets: Number of subsets of `"subsets"`.
        subset_size: Rows in a subset; never changed silently.
        seed: Seed of the subsets.

    Returns:
        A `KIDEstimate`. `standard_error` estimates the standard deviation of `mean` over new draws of both
        samples and of the subsets (of `"blocks"`: the spread of the blocks over the root of their number).
        `interval` covers the true MMD**2 in 95 % of repeats, at equal distributions too, where mean +- 1.96
        standard errors is wider than that, and a little off them, where it is narrower. The published "+-" is
        `standard_deviation`, the spread of single subsets.

    Raises:
        ValueError: For images, features of different size, NaN or inf, or fewer rows than `subset_size`.

    Example:
        kid = kernel_inception_distance(extractor(real_images), extractor(model.sample(10_000, seed=1)))

    Reference: [binkowski2018]
    """
    checks.one_of("estimator", estimator, _ESTIMATORS)
    num_subsets, subset_size = _check_sizes(num_subsets, subset_size)
    real, fake = arrays.same_dtype(arrays.features("real", real), arrays.features("fake", fake))
    checks.same_features(real, fake, ("real", "fake"))
    for name, x in (("real", real), ("fake", fake)):
        if estimator == "subsets":
            _check_enough(name, x, subset_size)
        checks.min_rows(name, x, 2, "The unbiased estimate", "Use a larger sample.")
    real, fake = np.asarray(real), np.asarray(fake)  # no copies
    return _ESTIMATORS[estimator](real, fake, num_subsets, subset_size, seed)


@register
class KernelInceptionDistance(HeldRowsMetric):
    """Streaming kernel inception distance: `update_state(real, fake)` takes features in batches.

    It keeps the rows (see `max_rows`): subsets are drawn from all of them. `result()` is the mean,
    `estimate()` the `KIDEstimate`. The batch size has no influence, nor has the order of rows.

    Args:
        num_subsets: Number of subsets.
        subset_size: Rows in a subset.
        estimator: As in `kernel_inception_distance`.
        seed: Seed of the subsets.
        max_rows: Most rows to keep a side, a uniform subset of those seen; None keeps all.
        name: Name of the metric.

    Example:
        metric = KernelInceptionDistance(subset_size=500)
        metric.update_state(extractor(real_batch), extractor(fake_batch))
        print(metric.estimate())
    """

    def __init__(
        self,
        num_subsets=100,
        subset_size=1000,
        *,
        estimator="subsets",
        seed=0,
        max_rows=None,
        name="kernel_inception_distance",
        **kwargs,
    ):
        super().__init__(seed=seed, max_rows=max_rows, name=name, **kwargs)
        self.num_subsets, self.subset_size = _check_sizes(num_subsets, subset_size)
        self.estimator = checks.one_of("estimator", estimator, _ESTIMATORS)
        if max_rows is not None and estimator == "subsets" and max_rows < self.subset_size:
            checks.fail(
                "`max_rows` must hold a subset.",
                f"max_rows={max_rows}, subset_size={subset_size}",
                "Raise it.",
            )

    def estimate(self) -> KIDEstimate:
        return kernel_inception_distance(
            self.rows["real"].array(),
            self.rows["fake"].array(),
            estimator=self.estimator,
            num_subsets=self.num_subsets,
            subset_size=self.subset_size,
            seed=self.seed,
        )

    def get_config(self):
        own = {"num_subsets": self.num_subsets, "subset_size": self.subset_size, "estimator": self.estimator}
        return {**super().get_config(), **own}


def _of_subsets(real, fake, num_subsets, subset_size, seed):
    n, m = len(real), len(fake)
    of_real = np.array(list(_subsets(real, num_subsets, subset_size, seed, "real subset")))
    of_fake = np.array(list(_subsets(fake, num_subsets, subset_size, seed, "fake subset")))
    values, parts = _values((real[i], fake[j]) for i, j in zip(of_real, of_fake))
    drawn = 0.0  # variance by the draw of the subsets
    if num_subsets > 1 and max(n, m) > subset_size:
        drawn = values.var(ddof=1) / num_subsets
    some = real[of_real[0]], fake[of_fake[0]]
    errors = _errors(values.mean(), n, m, parts, some, drawn)
    return _estimate("subsets", values, errors, subset_size, n, m)


def _of_blocks(real, fake, num_subsets, subset_size, seed):
    n, m = len(real), len(fake)
    num_blocks = math.ceil(max(n, m) / subset_size)
    if num_blocks == 1:
        return dataclasses.replace(
            _of_all(real, fake, num_subsets, subset_size, seed), estimator="blocks", subset_size=subset_size
        )
    checks.min_rows("real", real, 2 * num_blocks, "Every block", "Use blocks of more rows.")
    checks.min_rows("fake", fake, 2 * num_blocks, "Every block", "Use blocks of more rows.")
    values, _ = _values(zip(_split(real, num_blocks), _split(fake, num_blocks)))
    error = values.std(ddof=1) / math.sqrt(num_blocks)
    errors = error, block_interval(values.mean(), error, num_blocks)
    return _estimate("blocks", values, errors, subset_size, n, m)


def _of_all(real, fake, num_subsets, subset_size, seed):
    n, m = len(real), len(fake)
    values, parts = _values([(real, fake)])
    errors = _errors(values.mean(), n, m, parts, (some_rows(real), some_rows(fake)))
    return _estimate("full", values, errors, min(n, m), n, m)


_ESTIMATORS = {"subsets": _of_subsets, "blocks": _of_blocks, "full": _of_all}


def _values(pairs):
    """The unbiased MMD**2 of each pair of samples, and the variance parts of each."""
    values, parts = [], []
    for x, y in pairs:
        sums = pair_sums(x, y)
        values.append(unbiased(*sums))
        parts.append(VarianceParts.of(*sums))
    return np.array(values), parts


def _errors(mean, n, m, parts, some, drawn=0.0):
    """Standard error and interval of a mean over pairs of rows.

    `some`: a few rows of each side; `drawn`: the variance by the draw of subsets.
    """
    parts = VarianceParts.mean(parts)
    second = parts.second(n, m) + drawn
    interval = score_interval(mean, parts.first(n, m), second, typical_slope(*some, n, m))  # type: ignore[call-arg]
    return math.sqrt(parts.variance(n, m) + drawn), interval


def _subsets(x, num_subsets, size, seed, role):
    """Row numbers `[size]` of each random subset, the same set of rows for any order of `x`."""
    order = canonical_order(x)
    for i in range(num_subsets):
        noise = seeds.uniform([len(x)], seeds.pair(seed, i, role)).numpy()
        yield order[np.argpartition(noise, size - 1)[:size]]


def _split(x, num_blocks):
    edges = [i * len(x) // num_blocks for i in range(num_blocks + 1)]
    return [x[a:b] for a, b in zip(edges[:-1], edges[1:])]


def _estimate(estimator, values, errors, subset_size, n, m):
    standard_error, interval = errors
    return KIDEstimate(
        mean=float(values.mean()),
        standard_error=float(standard_error),
        interval=tuple(float(bound) for bound in interval),
        standard_deviation=float(values.std()),
        estimator=estimator,
        num_subsets=len(values),
        subset_size=subset_size,
        num_real=n,
        num_fake=m,
    )


def _check_sizes(num_subsets, subset_size):
    size = checks.positive_int("subset_size", subset_size)
    if size < 2:
        checks.fail("`subset_size` must be 2 or more.", f"subset_size={size}", "The papers use 1000.")
    return checks.positive_int("num_subsets", num_subsets), size


def _check_enough(name, x, subset_size):
    if len(x) < subset_size:
        checks.fail(
            f"KID on subsets of {subset_size} needs at least {subset_size} rows in `{name}`.",
            f"{name}.shape={checks.shape_of(x)}",
            f"Use {subset_size} samples or more, or pass subset_size={max(len(x) // 2, 2)} and say so.",
        )
