"""Keras layers of the papers, for use in any Keras model."""

from tfmmd.layers.initialization import initialize
from tfmmd.layers.maxout import Maxout
from tfmmd.layers.minibatch_discrimination import MinibatchDiscrimination
from tfmmd.layers.mmd_regularizer import MMDRegularizer
from tfmmd.layers.noise import Dropout, GaussianNoise
from tfmmd.layers.parameter_average import ParameterAverage
from tfmmd.layers.virtual_batch_normalization import DropReference, ReferenceBatch, VirtualBatchNormalization
from tfmmd.layers.weight_normalization import WeightNormalization

__all__ = [
    "DropReference",
    "Dropout",
    "GaussianNoise",
    "Maxout",
    "MMDRegularizer",
    "MinibatchDiscrimination",
    "ParameterAverage",
    "ReferenceBatch",
    "VirtualBatchNormalization",
    "WeightNormalization",
    "initialize",
]
