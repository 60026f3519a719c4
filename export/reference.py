"""Answers of the Keras model to a few requests, kept beside a version to compare a server with."""

import numpy as np
import tensorflow as tf

PATH = "assets.extra/reference.npz"
ROWS = 4
_SEED = (20, 15)


def write(version_dir, model):
    """Runs the model's endpoints and stores inputs and outputs."""
    arrays = {}
    for key, (inputs, outputs) in answers(model).items():
        arrays.update({f"{key}/input/{name}": value for name, value in inputs.items()})
        arrays.update({f"{key}/output/{name}": value for name, value in outputs.items()})
    with open(version_dir / PATH, "wb") as file:
        np.savez_compressed(file, **arrays)


def answers(model):
    """Signature name -> (inputs, outputs), arrays by name, from the Keras model itself."""
    found = {}
    for key, (function, specs) in model.endpoints().items():
        inputs = [_input(spec, place) for place, spec in enumerate(specs)]
        outputs = tf.function(function, input_signature=specs, autograph=False)(*inputs)
        found[key] = (
            {spec.name: value.numpy() for spec, value in zip(specs, inputs)},
            {name: value.numpy() for name, value in outputs.items()},
        )
    return found


def read(version_dir):
    """What `write` stored, in the form of `answers`; an empty dict where there is no file."""
    path = version_dir / PATH
    if not path.exists():
        return {}
    found = {}
    with np.load(path) as arrays:
        for name in arrays.files:
            key, side, tensor = name.split("/")
            found.setdefault(key, ({}, {}))[side == "output"][tensor] = arrays[name]
    return found


def _input(spec, place):
    shape = [ROWS, *(size or 1 for size in spec.shape[1:])]
    if spec.dtype.is_integer:
        return tf.cast(tf.reshape(tf.range(np.prod(shape)), shape), spec.dtype)
    return tf.random.stateless_uniform(shape, (_SEED[0] + place, _SEED[1]), dtype=spec.dtype, alg="philox")
