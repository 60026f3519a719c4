"""Keras layers of the papers, for use in any Keras model."""

from tfmmd.layers.initialization import initialize
from tfmmd.layers.minibatch_discrimination import MinibatchDiscrimination
from tfmmd.layers.noise import Dropout, GaussianNoise
from tfmmd.layers.virtual_batch_normalization import DropReference, ReferenceBatch, VirtualBatchNormalization
from tfmmd.layers.weight_normalization import WeightNormalization

__all__ = [
    "DropReference",
    "Dropout",
    "GaussianNoise",
    "MinibatchDiscrimination",
    "ReferenceBatch",
    "VirtualBatchNormalization",
    "WeightNormalization",
    "initialize",
]
