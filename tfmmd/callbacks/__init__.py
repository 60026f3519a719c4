"""Keras callbacks: pictures, evaluation, schedules, alarms, resume."""

from tfmmd.callbacks.resume import Resume
from tfmmd.callbacks.watch import DivergedError, DivergenceGuard, SampleGrid

__all__ = ["DivergedError", "DivergenceGuard", "Resume", "SampleGrid"]
