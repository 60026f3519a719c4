"""Keras callbacks: pictures, evaluation, schedules, alarms, resume."""

from tfmmd.callbacks.collapse import CollapseAlarm
from tfmmd.callbacks.evaluation import Evaluate
from tfmmd.callbacks.latent_pictures import LatentDensity
from tfmmd.callbacks.pictures import Interpolations, LatentMap, NearestNeighbours, Reconstructions
from tfmmd.callbacks.projector import Projector
from tfmmd.callbacks.resume import Resume
from tfmmd.callbacks.schedule import KIDLearningRate
from tfmmd.callbacks.watch import DivergedError, DivergenceGuard, SampleGrid

__all__ = [
    "CollapseAlarm",
    "DivergedError",
    "DivergenceGuard",
    "Evaluate",
    "Interpolations",
    "KIDLearningRate",
    "LatentDensity",
    "LatentMap",
    "NearestNeighbours",
    "Projector",
    "Reconstructions",
    "Resume",
    "SampleGrid",
]
