"""Tiny instances of every system, for the contract tests: each system adds one factory."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from sklearn.datasets import load_digits

from tfmmd import kernels, models, networks, priors

SHAPE = (8, 8, 1)
CODE = 3


def digits(rows=64):
    """`[rows, 8, 8, 1]` images in [0, 1]."""
    return (load_digits().images[:rows] / 16.0).astype(np.float32)[..., None]


@dataclasses.dataclass(frozen=True)
class System:
    """How the contract tests make a system.

    Args:
        build: Function () -> uncompiled model for `SHAPE`.
        compile: Function model -> None.
        batch_size: Rows of one `fit` batch of `digits(64)`.
        deterministic_loss: Whether one step on equal data and noise gives the same costs.
    """

    build: Callable
    compile: Callable
    batch_size: int = 16


def compile_one(model):
    """One player with Adam."""
    model.compile(optimizer=keras.optimizers.Adam(1e-3))


def compile_two(model):
    """Two players with Adam, two critic steps."""
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3),
        critic_optimizer=keras.optimizers.Adam(1e-3),
        critic_steps=1,
    )


def generator():
    """`[b, CODE]` -> `[b, 8, 8, 1]` in (0, 1)."""
    return networks.gmmn_generator(CODE, SHAPE, hidden=(16, 16))


def gmmn():
    return models.GMMN(generator(), priors.Uniform(CODE), kernels.Gaussian([1.0, 2.0, 4.0]))


SYSTEMS = {"gmmn": System(gmmn, compile_one)}
