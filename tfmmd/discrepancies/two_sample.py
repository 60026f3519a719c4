"""Tests of hypotheses: are two samples from one distribution, and is one model closer to the data than another?"""

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from tfmmd import checks, seeds
from tfmmd.discrepancies import inputs, moments, permutations

_ENTRIES = 2**25  # of the memberships that are held as numbers at a time: 128 MB in float32


@dataclass(frozen=True)
class PermutationTest:
    """Result of `permutation_test`.

    Attributes:
        statistic: Unbiased MMD**2 of the samples as given.
        p_value: (1 + number of permutations with at least this statistic) / (1 + number of permutations).
        null_distribution: The statistics of the permutations, float64 array `[num_permutations]`.
    """

    statistic: float
    p_value: float
    null_distribution: np.ndarray = field(repr=False)

    def threshold(self, level=0.05):
        """The statistic above which the test rejects at `level`."""
        return float(np.quantile(self.null_distribution, 1.0 - level))

    def __str__(self):
        return (
            f"MMD**2 = {self.statistic:.4g}, p = {self.p_value:.4g} ({len(self.null_distribution)} permutations, "
            f"5% threshold {self.threshold():.4g})"
        )


@dataclass(frozen=True)
class RelativeTest:
    """Result of `relative_test`.

    Attributes:
        statistic: `difference` over its standard error, standard normal when both are equally close.
        p_value: Probability of a smaller statistic: small when the candidate is significantly closer.
        difference: MMD**2(real, candidate) - MMD**2(real, baseline), unbiased.
        variance: Estimated variance of the difference, before the floor.
    """

    statistic: float
    p_value: float
    difference: float
    variance: float

    def __str__(self):
        closer = "candidate" if self.difference < 0 else "baseline"
        return f"{closer} closer by {abs(self.difference):.4g} (z = {self.statistic:.3g}, p = {self.p_value:.4g})"


@dataclass(frozen=True)
class KernelChoice:
    """Result of `select_kernel`.

    Attributes:
        kernel: The kernel of largest power on the training half.
        powers: MMD**2 over its standard error on the training half, one for each candidate.
        x_test: The rows `[n - n_train, d]` of `x` left for the test.
        y_test: The rows `[m - m_train, d]` of `y` left for the test.
    """

    kernel: object
    powers: tuple
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)

    def __str__(self):
        return f"{self.kernel!r} of {len(self.powers)} candidates, power ratio {max(self.powers):.3g}"


def permutation_test(x, y, kernel, *, num_permutations=1000, seed=None):
    """Two-sample test of "x and y come from one distribution" by permuting the pooled rows.

    The kernel matrix is formed once, tile by tile, and all permutations are one product with each tile.

    Args:
        x: Array or tensor `[n, d]`.
        y: Array or tensor `[m, d]`; `n` and `m` may differ.
        kernel: A `tfmmd.kernels.Kernel`.
        num_permutations: Number of permutations.
        seed: Int; None draws a fresh one.

    Returns:
        A `PermutationTest`.

    Raises:
        ValueError: On wrong ranks, features and sizes, and on NaN or inf.

    Reference: [gretton2012]
    """
    x, y = inputs.as_checked_samples(x, y, kernel)
    inputs.check_rows(x, y, "unbiased")
    num_permutations = checks.positive_int("num_permutations", num_permutations)
    generator = seeds.generator(seeds.fresh() if seed is None else checks.int64("seed", seed), "permutations")
    inside = permutations.subsets(len(x), len(x) + len(y), num_permutations, generator)
    chunk = max(1, _ENTRIES // len(inside))
    permuted_values, observed = [], None
    for start in range(0, num_permutations, chunk):
        part = inside[:, start : start + chunk]
        observed, *permuted = permutations.partition_statistics(x, y, kernel, part)
        permuted_values += permuted
    null = np.array(permuted_values)
    slack = 1e-6 * np.abs(null).max()  # the same partition may differ in the last digit
    p_value = (1 + np.sum(null >= observed - slack)) / (1 + num_permutations)
    return PermutationTest(float(observed), float(p_value), null)


def relative_test(real, candidate, baseline, kernel, *, variance_floor=1e-12):
    """Three-sample test of "the candidate is no closer to the real sample than the baseline".

    Args:
        real: Array or tensor `[n, d]`.
        candidate: Array or tensor `[n, d]`, samples of the new model.
        baseline: Array or tensor `[n, d]`, samples of the old model.
        kernel: A `tfmmd.kernels.Kernel`.
        variance_floor: The variance is taken to be at least this. A floor far above the true variance, such as
            1e-5 in the released MMD GAN code, draws the p-value towards 1/2.

    Returns:
        A `RelativeTest`.

    Raises:
        ValueError: On unequal or too few rows, and as `mmd2`.

    Reference: [bounliphone2016]
    """
    floor = checks.non_negative("variance_floor", variance_floor)
    x, y = inputs.as_checked_samples(real, candidate, kernel, ("real", "candidate"))
    x, z = inputs.as_checked_samples(x, baseline, kernel, ("real", "baseline"))
    if not len(x) == len(y) == len(z) >= 4:
        checks.fail(
            "The relative test needs three samples of one size, at least 4 rows.",
            f"real {len(x)}, candidate {len(y)}, baseline {len(z)} rows",
            "Cut the longer ones.",
        )
    difference, variance = _relative_moments(x, tf.cast(y, x.dtype), z, kernel)
    statistic = difference / np.sqrt(max(variance, floor, np.finfo(np.float64).tiny))
    p_value = 0.5 * float(tf.math.erfc(tf.constant(-statistic / np.sqrt(2.0), tf.float64)))
    return RelativeTest(float(statistic), p_value, difference, variance)


def select_kernel(x, y, candidates, *, training_share=0.5, seed=None, variance_floor=1e-8):
    """Selects the kernel of largest test power on a training part of two samples.

    The power grows with MMD**2 over its standard error. Test on the rows that are left: `permutation_test` on
    `x_test` and `y_test` keeps its level.

    Args:
        x: Array or tensor `[n, d]`.
        y: Array or tensor `[m, d]`.
        candidates: Kernels to choose from.
        training_share: Share of the rows that the choice may see, between 0 and 1.
        seed: Int that says which rows those are; None draws a fresh one.
        variance_floor: The variance is taken to be at least this.

    Returns:
        A `KernelChoice`.

    Reference: [sutherland2017]
    """
    candidates = list(candidates) if isinstance(candidates, (list, tuple)) else [candidates]
    if not candidates or not 0.0 < checks.number("training_share", training_share) < 1.0:
        checks.fail(
            "`select_kernel` needs candidates and a `training_share` between 0 and 1.",
            f"{len(candidates)} candidates, training_share={training_share!r}",
            "Give a list of kernels and for example training_share=0.5.",
        )
    generator = seeds.generator(
        seeds.fresh() if seed is None else checks.int64("seed", seed), "kernel choice"
    )
    x, y = (s.numpy() for s in inputs.as_checked_samples(x, y, candidates[0]))
    parts = [np.split(s[generator.permutation(len(s))], [int(len(s) * training_share)]) for s in (x, y)]
    powers = []
    for kernel in candidates:
        value, variance = moments.mmd2_and_variance(parts[0][0], parts[1][0], kernel)
        powers.append(float(value) / float(np.sqrt(max(float(variance), variance_floor))))
    return KernelChoice(candidates[int(np.argmax(powers))], tuple(powers), parts[0][1], parts[1][1])


def plot_null_distribution(result, *, axes=None):
    """Draws the null distribution of a `PermutationTest` with its statistic and 5% threshold.

    Args:
        result: A `PermutationTest`.
        axes: Matplotlib axes; None makes new ones.

    Returns:
        The axes.
    """
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.subplots()[1]
    axes.hist(result.null_distribution, bins="auto", color="0.8", label="permutations")
    axes.axvline(result.threshold(), color="0.4", linestyle=":", label="5% threshold")
    axes.axvline(result.statistic, color="C3", label=f"observed, p = {result.p_value:.3g}")
    axes.set(xlabel="MMD**2", ylabel="permutations")
    axes.legend()
    return axes


def _relative_moments(x, y, z, kernel):
    """MMD**2(x, y) - MMD**2(x, z) and its variance, for equal sizes."""
    yy, zz = (moments.within(kernel.between(s, s, same=True)) for s in (y, z))
    xy, xz = (moments.cross(kernel.between(x, s)) for s in (y, z))
    mixed = (
        moments.covariance(yy.row_means, yy.mean, xy.y_means, xy.mean)
        + moments.covariance(xy.x_means, xy.mean, xz.x_means, xz.mean)
        + moments.covariance(zz.row_means, zz.mean, xz.y_means, xz.mean)
    )
    first = sum(w.first + c.first_x + c.first_y for w, c in ((yy, xy), (zz, xz))) - 2.0 * mixed
    second = sum(w.second + 2.0 * c.second for w, c in ((yy, xy), (zz, xz))) - 4.0 * mixed
    difference = (yy.mean - 2.0 * xy.mean) - (zz.mean - 2.0 * xz.mean)
    return float(difference), float(moments.u_variance(yy.rows, first, second))
