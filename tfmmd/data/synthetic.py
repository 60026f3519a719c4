"""Synthetic points in the plane, with known density and known modes."""

import math

import numpy as np
import tensorflow as tf

from tfmmd import seeds
from tfmmd.data import source, splits

NUM_ROWS = {"train": 10_000, "validation": 2_000, "test": 2_000}
RING_RADII = (1 / 3, 2 / 3, 1.0)
RING_NOISE = 0.02
NUM_GAUSSIANS = 8
GAUSSIAN_STD = 0.05
BOX = 1.2  # a value range other than (0, 1) is filled by the square [-BOX, BOX]


def rings(rows, role):
    """Points on three rings of radius 1/3, 2/3 and 1; returns points `[n, 2]` and rings `[n]`.

    A point is (r + 0.02 e) (cos t, sin t) with e standard normal, t uniform; row i lies on ring i % 3.
    """
    labels = rows % len(RING_RADII)
    radius = np.array(RING_RADII)[labels] + RING_NOISE * seeds.normal_rows(rows, 1, role).numpy()[:, 0]
    return _polar(radius, 2 * math.pi * seeds.uniform_rows(rows, 1, f"{role} angle").numpy()[:, 0]), labels


def gaussians(rows, role):
    """Eight Gaussians of standard deviation 0.05 on the unit circle; row i comes from number i % 8."""
    labels = rows % NUM_GAUSSIANS
    means = _polar(np.ones(len(rows)), 2 * math.pi * labels / NUM_GAUSSIANS)
    return means + GAUSSIAN_STD * seeds.normal_rows(rows, 2, role).numpy(), labels


SETS = {"rings": rings, "gaussians": gaussians}


def points(name, split, seed):
    """A source of points `[2]`: 10 000 "train", 2000 "validation", 2000 "test", drawn from `seed`.

    A point depends on (name, its split, its row, seed) alone.
    """
    drawn, starts = [], np.cumsum([0, *NUM_ROWS.values()])
    for part, size in NUM_ROWS.items():
        drawn.append(SETS[name](np.arange(size, dtype=np.int64), f"{name} {part} {seed}"))
    parts = {part: np.arange(start, start + NUM_ROWS[part]) for part, start in zip(NUM_ROWS, starts)}
    rows = splits.select(split, parts)
    xy, labels = (np.concatenate(values)[rows] for values in zip(*drawn))
    return source.from_arrays(xy.astype(np.float32), labels)


def scale(xy, value_range):
    """Points `[b, 2]` -> the value range, which the square [-BOX, BOX] fills; nothing is clipped."""
    low, high = value_range
    return low + (high - low) * (xy + tf.constant(BOX, xy.dtype)) / (2 * BOX)


def _polar(radius, angle):
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
