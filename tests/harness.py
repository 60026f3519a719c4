"""Lists of all members and small helpers, so that a new member is tested the day it is born."""

import keras
import numpy as np
import tensorflow as tf

from tfmmd import kernels

BANDWIDTHS = (0.5, 1.0, 2.0, 5.0)
ALL_KERNELS = [
    kernels.Gaussian(BANDWIDTHS),
    kernels.Gaussian((1.0,)),
    kernels.Laplacian((0.7, 2.0)),
    kernels.RationalQuadratic(),
    kernels.RationalQuadratic((0.1, 1.5)),
    kernels.InverseMultiquadric((1.0, 4.0)),
    kernels.Energy(),
    kernels.Linear(),
    kernels.Polynomial(),
    kernels.Polynomial(degree=2, gamma=0.3, coef0=0.5),
    kernels.Gaussian((1.0, 3.0)) + 0.1 * kernels.Linear(),
    kernels.Gaussian((3.0,)) * kernels.Polynomial(degree=2),
    0.5 * (kernels.Energy() + kernels.InverseMultiquadric()),
]
RADIAL_KERNELS = [k for k in ALL_KERNELS if isinstance(k, kernels.RadialKernel)]
KINDS_OF_KERNEL = [  # one for every kind of slope and path, for tests that trace large graphs
    kernels.Gaussian(BANDWIDTHS),
    kernels.Energy(),
    kernels.Polynomial(),
    kernels.Gaussian((3.0,)) * kernels.Polynomial(degree=2),
]


def samples(n, m, d=3, *, offset=0.0, dtype="float32", seed=0):
    """Two samples `[n, d]`, `[m, d]` of different means and spreads, exact in float32."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + offset
    y = 1.3 * rng.normal(size=(m, d)) + 0.7 + offset
    return x.astype("float32").astype(dtype), y.astype("float32").astype(dtype)


def value_and_gradients(function, *arguments):
    """A scalar function's value and gradients as float64 arrays."""
    arguments = [tf.constant(a) for a in arguments]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = function(*arguments)
    return [np.asarray(t, np.float64) for t in (value, *tape.gradient(value, arguments))]


def assert_same_rows(actual, expected):
    """Equal to rounding: processors take the rows of a matrix product in blocks and round incomplete ones anew."""
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def assert_close(actual, expected, tolerance):
    """Every array of `actual` equals `expected` up to `tolerance` times the largest entry."""
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * np.abs(e).max())


def round_trip(thing):
    """The object that Keras makes of the object's config."""
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(thing))
