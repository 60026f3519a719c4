"""What the measures return: frozen records with `mean`, `standard_error` and what the definition needs."""

import dataclasses
import math


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


def _plain(value):
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
