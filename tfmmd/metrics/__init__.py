"""How good are samples? Streaming Keras metrics and their pure functions; features in, never images.

Every pure function returns a frozen record with `mean`, `standard_error` and what its definition needs, which
prints as one line. A metric's `result()` is the mean, its `estimate()` the record.
"""

from tfmmd.metrics import features
from tfmmd.metrics.decoders import (
    BernoulliLikelihood,
    GaussianLikelihood,
    diagonal_normal_log_prob,
    standard_normal_log_prob,
)
from tfmmd.metrics.fid import FrechetInceptionDistance, frechet_inception_distance
from tfmmd.metrics.inception_score import InceptionScore, inception_score
from tfmmd.metrics.kernel_density import kde_distribution, kernel_density_log_prob
from tfmmd.metrics.kid import KernelInceptionDistance, kernel_inception_distance
from tfmmd.metrics.likelihood import importance_log_likelihood, latent_draws, sampled_log_likelihood
from tfmmd.metrics.likelihood_metrics import ImportanceLogLikelihood, SampledLogLikelihood
from tfmmd.metrics.panel import HeldOut, measure_samples
from tfmmd.metrics.parzen import ParzenLogLikelihood, parzen_log_likelihood
from tfmmd.metrics.precision_recall import PrecisionRecall, precision_recall
from tfmmd.metrics.sharpness import Sharpness, sharpness

__all__ = [
    "BernoulliLikelihood",
    "FrechetInceptionDistance",
    "GaussianLikelihood",
    "HeldOut",
    "ImportanceLogLikelihood",
    "InceptionScore",
    "KernelInceptionDistance",
    "ParzenLogLikelihood",
    "PrecisionRecall",
    "SampledLogLikelihood",
    "Sharpness",
    "diagonal_normal_log_prob",
    "features",
    "frechet_inception_distance",
    "importance_log_likelihood",
    "inception_score",
    "kde_distribution",
    "kernel_density_log_prob",
    "kernel_inception_distance",
    "latent_draws",
    "measure_samples",
    "parzen_log_likelihood",
    "precision_recall",
    "sampled_log_likelihood",
    "sharpness",
    "standard_normal_log_prob",
]
