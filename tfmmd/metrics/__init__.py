"""How good are samples? Streaming Keras metrics and their pure functions; features in, never images."""

from tfmmd.metrics.kernel_density import kde_distribution, kernel_density_log_prob
from tfmmd.metrics.parzen import ParzenLogLikelihood, parzen_log_likelihood

__all__ = [
    "ParzenLogLikelihood",
    "kde_distribution",
    "kernel_density_log_prob",
    "parzen_log_likelihood",
]
