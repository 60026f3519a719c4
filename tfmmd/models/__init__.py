"""The systems: Keras models that learn by comparing samples."""

from tfmmd.models.base import GenerativeModel
from tfmmd.models.gmmn import GMMN

__all__ = ["GMMN", "GenerativeModel"]
