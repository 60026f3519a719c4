"""The checks of `export verify`: each returns what it saw, or raises `Failed`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from export import reference, warmup
from export.client import Client
from export.session import DEFAULT, LoadedModel, dtype_of, not_finite, shape_of

TOLERANCE = 1e-5
PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction"}
SEEDED = ("sample", DEFAULT)
_RNG_SEED = 1


class Failed(Exception):
    """A check that did not pass."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A version under test.

    Args:
        path: Version folder.
        model: It, loaded.
        call: Function (signature, inputs) -> outputs, the way under test.
        again: The same through another session.
        live: Answers of the Keras model (`reference.answers`), or None.
        max_rows: Rows of the largest request.
        served: Client of the server under test, or None.
    """

    path: Path
    model: LoadedModel
    call: Callable
    again: Callable
    live: dict | None
    max_rows: int
    served: Client | None = None


def loads(path):
    """The version loads as a server loads it."""
    LoadedModel(path).close()
    return "saved_model.pb and variables"


def signatures(subject):
    """The contract of the endpoints."""
    found = subject.model.signatures
    for key in (*SEEDED, "decode"):
        if key not in found:
            raise Failed(f"signature {key!r} is missing; there are {sorted(found)}")
    for key in SEEDED:
        seed = found[key].inputs.get("seed")
        if list(found[key].inputs) != ["seed"] or dtype_of(seed) != np.int64 or shape_of(seed) != (None,):
            raise Failed(f"signature {key!r} must take seed: int64 [b]")
        if list(found[key].outputs) != ["samples"]:
            raise Failed(f"signature {key!r} must return samples")
    for key, signature in found.items():
        for name, info in (*signature.inputs.items(), *signature.outputs.items()):
            if not shape_of(info) or shape_of(info)[0] is not None:
                raise Failed(f"{key}: {name} has no leading batch dimension")
    return ", ".join(found)


def operations(subject):
    """No Python inside, and every operation is one that TensorFlow registers."""
    saved = saved_model_pb2.SavedModel.FromString((subject.path / "saved_model.pb").read_bytes())
    names, functions = set(), set()
    for meta_graph in saved.meta_graphs:
        library = meta_graph.graph_def.library.function
        names.update(node.op for node in meta_graph.graph_def.node)
        names.update(node.op for function in library for node in function.node_def)
        functions.update(function.signature.name for function in library)
    python = sorted(names & PYTHON_OPS)
    unknown = sorted(name for name in names - functions if not hasattr(tf.raw_ops, name))
    if python or unknown:
        raise Failed(f"Python operations: {python}, unregistered operations: {unknown}")
    return f"{len(names)} kinds of operations"


def warm_up(subject):
    """Warm-up records exist for every signature, run and give finite outputs."""
    keys = {message.model_spec.signature_name for message in warmup.read(subject.path)}
    missing = sorted(set(subject.model.signatures) - keys)
    if missing:
        raise Failed(f"no warm-up record for {missing}")
    return f"{warmup.replay(subject.model)} records"


def served(subject):
    """The server has the version and its signatures."""
    version = int(subject.path.name)
    state = subject.served.status().get(version, ("missing", ""))
    if state[0] != "AVAILABLE":
        raise Failed(f"version {version} is {state[0]} {state[1]}")
    if set(subject.served.signatures()) != set(subject.model.signatures):
        raise Failed(f"signatures {sorted(subject.served.signatures())}")
    return f"version {version} is AVAILABLE"


def shapes(subject):
    """Outputs are finite and have the shape and type the signature says."""
    for key, inputs in _requests(subject, 3):
        outputs = subject.call(key, inputs)
        bad = not_finite(outputs)
        if bad:
            raise Failed(f"{key}: {bad[0]} is not finite")
        for name, info in subject.model.signatures[key].outputs.items():
            shape, expected = outputs[name].shape, shape_of(info)
            if len(shape) != len(expected) or any(e not in (None, s) for s, e in zip(shape, expected)):
                raise Failed(f"{key}: {name} has shape {shape}, the signature says {expected}")
            if len(outputs[name]) != 3:
                raise Failed(f"{key}: {name} has {len(outputs[name])} rows for 3")
    return "finite, shaped as the signatures say"


def deterministic(subject):
    """The same request gives the same bits, also from another session."""
    for key, inputs in _requests(subject, 5):
        first = subject.call(key, inputs)
        for other in (subject.call(key, inputs), subject.again(key, inputs)):
            for name, value in first.items():
                if not np.array_equal(value, other[name]):
                    raise Failed(f"{key}: {name} differs by {_difference(value, other[name]):.2g}")
    return "bit-equal twice and from another session"


def batch_independent(subject):
    """A row does not depend on the rows beside it: alone, among many, reordered, beside padding.

    To rounding: the matrix products of most processors take rows in blocks, and round those of an incomplete
    block in another order.
    """
    largest = 0.0
    for key, inputs in _requests(subject, subject.max_rows):
        whole = subject.call(key, inputs)
        rows = subject.max_rows
        for index in ([0], [rows - 1], [rows // 2, 0, 1], list(range(rows))[::-1], [1] + [0] * (rows - 1)):
            index = np.array(index) % rows  # a request may have one row
            part = subject.call(key, {name: value[index] for name, value in inputs.items()})
            for name, value in whole.items():
                difference = _difference(part[name], value[index])
                _check_close(key, name, difference, value)
                largest = max(largest, difference)
    return f"1 to {subject.max_rows} rows, {_words(largest)}"


def equals_keras(subject):
    """The answers of the Keras model: recorded when the version was written, or of the model itself."""
    answers = subject.live or reference.read(subject.path)
    if not answers:
        raise Failed(f"{reference.PATH} is missing: pass --run RUN_DIR")
    answers = {**answers, DEFAULT: answers["sample"]}
    largest = 0.0
    for key, (inputs, expected) in answers.items():
        outputs = subject.call(key, inputs)
        for name, value in expected.items():
            difference = _difference(outputs[name], value)
            _check_close(key, name, difference, value, exact=bool(subject.live) and key in SEEDED)
            largest = max(largest, difference)
    source = "the run's model" if subject.live else "the answers recorded at save"
    return f"{', '.join(answers)} against {source}: {_words(largest)}"


def _check_close(key, name, difference, value, *, exact=False):
    allowed = 0.0 if exact else TOLERANCE * max(1.0, float(np.abs(value).max()))
    if not difference <= allowed:
        raise Failed(f"{key}: {name} differs by {difference:.2g}, allowed {allowed:.2g}")


def _difference(a, b):
    if a.shape != b.shape:
        return float("inf")
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0))


def _words(difference):
    return f"largest difference {difference:.2g}" if difference else "bit-equal"


def _requests(subject, rows):
    """(signature, inputs) for every signature; seeds include both ends of int64."""
    rng = np.random.default_rng(_RNG_SEED)
    for key, signature in subject.model.signatures.items():
        yield key, {name: _values(info, rows, rng) for name, info in signature.inputs.items()}


def _values(info, rows, rng):
    dtype, shape = np.dtype(dtype_of(info)), (rows, *(size or 1 for size in shape_of(info)[1:]))
    if dtype.kind == "f":
        return rng.uniform(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    values[:2] = np.array([limits.min, limits.max], dtype).reshape([2] + [1] * (len(shape) - 1))[:rows]
    return values


LOCAL = (
    ("signatures keep the contract", signatures),
    ("no Python or unregistered operation", operations),
    ("warm-up records replay", warm_up),
)
WIRE = (("the server has the version", served),)
ANSWERS = (
    ("outputs are finite and shaped", shapes),
    ("same request, same bits", deterministic),
    ("rows do not depend on the batch", batch_independent),
    ("equals the Keras model", equals_keras),
)
