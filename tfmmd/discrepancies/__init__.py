"""Discrepancies: two samples -> a number."""

from tfmmd.discrepancies.mmd import energy_distance, mmd, mmd2
from tfmmd.discrepancies.moments import mmd2_and_variance

__all__ = ["energy_distance", "mmd", "mmd2", "mmd2_and_variance"]
