"""How far a kernel inception distance may be from the truth: its variance and its 95 % interval.

The unbiased MMD**2 is a U-statistic. Far from equal distributions its variance is of first order, 1/n, and grows
with the MMD**2; near equality only the second order, 1/n**2, is left. An interval of one width around the
estimate cannot serve both: an estimate that is too small by chance also has a variance that is too small. The
interval here asks instead of every candidate whether the estimate is within 1.96 standard deviations *under that
candidate*, as Wilson's interval does for a proportion.
"""

import dataclasses
import math

import numpy as np
from scipy import stats

from tfmmd.metrics.kernel_sums import polynomial
from tfmmd.metrics.rows import spread_rows

_NORMAL = stats.norm.ppf(0.975)  # 1.96
SPECTRUM_ROWS = 500  # rows whose kernel matrix is multiplied with itself


@dataclasses.dataclass(frozen=True)
class VarianceParts:
    """Hoeffding parts of the variance of the unbiased squared MMD: estimates that do not depend on n and m.

    Var = 4 A / n + 4 B / m + 2 Cxx / (n (n - 1)) + 2 Cyy / (m (m - 1)) + 4 Cxy / (n m)

    A and B are the variances of E k(x, X') - E k(x, Y) over x, and of the same with the samples exchanged; C
    are the variances of the kernels with the means of rows and columns taken out.
    """

    first_x: float
    first_y: float
    second_xx: float
    second_yy: float
    second_xy: float

    @classmethod
    def of(cls, xx, yy, xy):
        """Estimates from three `PairSums`; what the finite means add to a variance is taken off."""
        n, m = len(xy.rows), len(xy.columns)
        x_own, x_cross = xx.rows / (n - 1), xy.rows / m
        y_own, y_cross = yy.rows / (m - 1), xy.columns / n
        cxx = _second_own(xx, x_own)
        cyy = _second_own(yy, y_own)
        explained = x_cross.mean() ** 2 + x_cross.var(ddof=1) + y_cross.var(ddof=1)
        cxy = max(xy.squares / (n * m) - explained, 0) / max(1 - 1 / n - 1 / m, 0.5)
        first_x = (x_own - x_cross).var(ddof=1) - cxx / (n - 1) - cxy / m
        first_y = (y_own - y_cross).var(ddof=1) - cyy / (m - 1) - cxy / n
        return cls(first_x, first_y, cxx, cyy, cxy)

    @classmethod
    def mean(cls, parts):
        """The average of several estimates."""
        return cls(*np.mean([dataclasses.astuple(p) for p in parts], axis=0))

    def first(self, n, m):
        """The part of the variance that vanishes at equal distributions; the estimate may be negative."""
        return 4 * self.first_x / n + 4 * self.first_y / m

    def second(self, n, m):
        """The part of the variance that stays at equal distributions."""
        own = 2 * self.second_xx / (n * (n - 1)) + 2 * self.second_yy / (m * (m - 1))
        return own + 4 * self.second_xy / (n * m)

    def variance(self, n, m):
        """The variance of the unbiased squared MMD of `n` and `m` rows."""
        return max(self.first(n, m), 0) + self.second(n, m)


def score_interval(mean, first, second, slope):
    """The candidates whose own standard deviation holds `mean` within 1.96: (low, high).

    (mean - t)**2 <= 1.96**2 * (second + rate * max(t, 0))

    Args:
        mean: The estimate.
        first: Estimated first-order variance, of any sign.
        second: Variance at equal distributions.
        slope: First-order variance per unit of squared MMD along a typical direction; it leads while the
            estimate is within a standard deviation of zero, `first / mean` beyond.

    Returns:
        Two floats around `mean`; `low` may be negative and holds zero exactly when `mean` is within 1.96 standard
        deviations of zero under equal distributions.
    """
    spread = math.sqrt(second)
    positive = max(mean, 0)
    rate = (max(first, 0) + slope * spread) / (positive + spread) if positive + spread > 0 else 0.0
    reach = _NORMAL * math.sqrt(_NORMAL**2 * rate**2 / 4 + max(rate * mean + second, 0))
    middle = mean + _NORMAL**2 * rate / 2
    low = mean - _NORMAL * spread if mean <= _NORMAL * spread else middle - reach
    return low, max(middle + reach, mean + _NORMAL * spread)


def block_interval(mean, standard_error, num_blocks):
    """The interval of a mean over independent blocks, by Student's quantile."""
    reach = stats.t.ppf(0.975, num_blocks - 1) * standard_error
    return mean - reach, mean + reach


def typical_slope(x, y, n, m):
    """First-order variance of the squared MMD of n and m rows per unit of it, along a typical direction.

    A witness along an eigenfunction of the centred kernel with eigenvalue l has variance l per unit of
    MMD**2. The mean of l over directions that carry the second-order variance is sum(l**3) / sum(l**2).
    """
    return 4 * spectral_ratio(x) / n + 4 * spectral_ratio(y) / m


def some_rows(x):
    """Rows of `x` `[n, d]` that stand for all of them, as many as `spectral_ratio` uses."""
    return x if len(x) <= SPECTRUM_ROWS else x[spread_rows(x, SPECTRUM_ROWS)]


def spectral_ratio(x):
    """sum(l**3) / sum(l**2) of the centred kernel's eigenvalues, from pairs of the first 500 rows."""
    n = min(len(x), SPECTRUM_ROWS)
    if n < 3:
        return 0.0
    x = x[:n]
    kernel = polynomial((x @ x.T).astype(np.float64), x.shape[1])
    np.fill_diagonal(kernel, 0)
    rows = kernel.sum(axis=1) / (n - 1)
    kernel += rows.mean() - rows - rows[:, None]
    np.fill_diagonal(kernel, 0)
    squares = np.vdot(kernel, kernel)
    cubes = np.vdot(kernel, kernel @ kernel) / (n - 2)
    return max(cubes, 0) / squares if squares > 0 else 0.0


def _second_own(sums, means):
    n = len(means)
    spread = sums.squares / (n * (n - 1)) - means.mean() ** 2 - 2 * means.var(ddof=1)
    return max(spread, 0) / max(1 - 2 / (n - 1), 0.5)
