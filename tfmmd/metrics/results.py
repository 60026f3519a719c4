"""What the measures return: frozen records with `mean`, `standard_error` and what the definition needs."""

import dataclasses
import math

_SAME_NUMBERS = "compare at equal numbers"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean and the standard error of that mean; `float(estimate)` is the mean."""

    mean: float
    standard_error: float

    def __float__(self):
        return float(self.mean)

    def to_dict(self):
        """The fields as plain numbers and lists, ready for JSON (NaN becomes None)."""
        return {key: _plain(value) for key, value in dataclasses.asdict(self).items()}


@dataclasses.dataclass(frozen=True)
class ParzenEstimate(Estimate):
    """Kernel density score: mean test log-likelihood in nats and the bandwidth that validation chose.

    `standard_error` is the spread over test points / sqrt(number of points). It does not hold the randomness
    of the samples. `at_grid_edge` tells that the bandwidth is the smallest or largest of `bandwidths`.
    """

    bandwidth: float
    bandwidths: tuple
    validation_means: tuple
    num_samples: int
    num_test: int
    at_grid_edge: bool

    def __str__(self):
        value = f"{self.mean:.2f} +- {self.standard_error:.1f} nats"
        edge = " (edge of the grid)" if self.at_grid_edge else ""
        return f"KDE ({self.num_samples} samples): {value}, bandwidth {self.bandwidth:.3g}{edge}"


@dataclasses.dataclass(frozen=True)
class KIDEstimate(Estimate):
    """Kernel inception distance.

    `standard_error` is that of `mean` over new samples, `interval` the (low, high) that covers the truth in
    95 % of repeats, `standard_deviation` the spread of single subsets (or blocks).
    """

    interval: tuple
    standard_deviation: float
    estimator: str
    num_subsets: int
    subset_size: int
    num_real: int
    num_fake: int
    extractor: str = ""

    def __str__(self):
        low, high = self.interval
        value = f"{self.mean:.6f} +- {self.standard_error:.6f}, 95 % [{low:.6f}, {high:.6f}]"
        how, spread = "all pairs", ""
        if self.estimator != "full":
            how = f"{self.num_subsets} {self.estimator} of {self.subset_size}"
            spread = f" (spread {self.standard_deviation:.6f})"
        size = f"{_of(self.extractor)}{self.num_real} real, {self.num_fake} fake rows, {how}"
        return f"KID ({size}): {value}{spread}"


@dataclasses.dataclass(frozen=True)
class FIDEstimate(Estimate):
    """Frechet distance of Gaussian fits. Biased upwards by O(1/n): compare at equal numbers of rows only.

    `standard_error` is NaN unless bootstrap resamples were asked for.
    """

    num_real: int
    num_fake: int
    num_features: int
    extractor: str = ""

    def __str__(self):
        error = f" +- {self.standard_error:.4g}" if math.isfinite(self.standard_error) else ""
        size = f"{self.num_real} real, {self.num_fake} fake rows, {self.num_features} features"
        return f"FID ({_of(self.extractor)}{size}; {_SAME_NUMBERS}): {self.mean:.4f}{error}"


@dataclasses.dataclass(frozen=True)
class InceptionScoreEstimate(Estimate):
    """Inception score: mean over splits. The published "+-" is `standard_deviation`, the spread of splits.

    Biased downwards at few rows: compare at equal numbers of rows and splits only.
    """

    standard_deviation: float
    num_splits: int
    num_samples: int
    num_classes: int
    extractor: str = ""

    def __str__(self):
        size = f"{self.num_samples} samples, {self.num_splits} splits, {self.num_classes} classes"
        size = f"{_of(self.extractor)}{size}; {_SAME_NUMBERS}"
        return f"Inception score ({size}): {self.mean:.4f} +- {self.standard_deviation:.4f}"


@dataclasses.dataclass(frozen=True)
class PrecisionRecallEstimate:
    """Precision (fake rows on the real manifold) and recall (real rows on the fake one), in [0, 1].

    The standard errors are binomial: rows drawn anew, the manifolds held.
    """

    precision: float
    recall: float
    precision_standard_error: float
    recall_standard_error: float
    k: int
    num_real: int
    num_fake: int
    extractor: str = ""

    to_dict = Estimate.to_dict

    def __str__(self):
        size = f"{_of(self.extractor)}k={self.k}, {self.num_real} real, {self.num_fake} fake rows"
        precision = f"{self.precision:.4f} +- {self.precision_standard_error:.4f}"
        return f"Precision {precision}, recall {self.recall:.4f} +- {self.recall_standard_error:.4f} ({size})"


@dataclasses.dataclass(frozen=True)
class SharpnessEstimate(Estimate):
    """Mean over images of the variance after a Laplace filter; `minimum` is that of the least sharp image."""

    minimum: float
    num_samples: int

    def __str__(self):
        return f"Sharpness ({self.num_samples} images): {self.mean:.4g} +- {self.standard_error:.2g}"


@dataclasses.dataclass(frozen=True)
class LikelihoodEstimate(Estimate):
    """Estimated mean log-likelihood in nats, a lower bound in expectation that rises with `num_draws`.

    `standard_error` is over test points. `half_mean` is the same estimate from the first half of the draws
    (NaN for one draw): a gain of more than half a nat says that more draws are needed.
    """

    method: str
    num_draws: int
    num_test: int
    half_mean: float

    @property
    def gain(self):
        """What the second half of the draws added, in nats."""
        return self.mean - self.half_mean

    @property
    def converged(self):
        """Whether the second half of the draws changed the mean by less than half a nat."""
        return abs(self.gain) < 0.5

    def __str__(self):
        value = f"{self.mean:.2f} +- {self.standard_error:.2f} nats"
        gain = "" if math.isnan(self.half_mean) else f", {self.gain:+.2f} by the second half of the draws"
        return f"Log-likelihood ({self.num_draws} {self.method} draws): {value}{gain}"


def _of(extractor):
    return f"{extractor}, " if extractor else ""


def _plain(value):
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
