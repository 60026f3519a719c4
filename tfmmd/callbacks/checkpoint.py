"""One file that holds a whole training state, written atomically and verified on load."""

import hashlib
import json
import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.callbacks import files
from tfmmd.version import __version__

FORMAT = 1
INDEX = "index.json"
_NAME = re.compile(r"step-(\d{10})\.npz$")


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not fit the model."""


def fail(expected, received, mend):
    """Raises `CheckpointError` with the three sentences."""
    raise CheckpointError(checks.message(expected, received, mend))


def optimizers_of(model):
    """The optimizers of a compiled model: name -> Keras optimizer."""
    found = {name: getattr(model, name, None) for name in getattr(model, "compile_names", ("optimizer",))}
    return {name: o for name, o in found.items() if isinstance(o, keras.optimizers.Optimizer)}


def variables_of(model):
    """All state of a compiled model, in a fixed order: name -> Keras variable.

    Names are owner and place: Keras's own names count up within a process. `random` are the counters of
    layers that draw from a `keras.random.SeedGenerator`, such as `keras.layers.Dropout`.
    """
    others = {id(v) for v in (*model.weights, *model.metrics_variables)}
    random = [v for v in model.variables if id(v) not in others]
    state = {f"model/{i:04d}": v for i, v in enumerate(model.weights)}
    state |= {f"random/{i:04d}": v for i, v in enumerate(random)}
    for name, optimizer in optimizers_of(model).items():
        state |= {f"{name}/{i:04d}": v for i, v in enumerate(optimizer.variables)}
    return state


def parts_of(model):
    """Class names of a compiled model and of its optimizers, by their place."""
    return {"model": type(model).__name__} | {k: type(o).__name__ for k, o in optimizers_of(model).items()}


def save(directory, model, step, extra=None, keep=2):
    """Writes `step-<step>.npz` beside the older ones, by one rename, and keeps the newest `keep`.

    Args:
        directory: Folder of the checkpoints; made when missing.
        model: A compiled model.
        step: Number of finished training steps.
        extra: JSON values to store beside the weights.
        keep: How many checkpoints stay.

    Returns:
        Path of the new file.

    Raises:
        OSError: If it cannot be written; the older checkpoints stay.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {name: _to_numpy(variable) for name, variable in variables_of(model).items()}
    meta = {"format": FORMAT, "version": __version__, "step": int(step), "parts": parts_of(model)}
    text = json.dumps({**meta, "sha256": _digest(arrays), "extra": extra or {}}).encode()
    target = directory / f"step-{int(step):010d}.npz"
    with files.replacing(target) as draft:
        np.savez(draft, **arrays, __meta__=np.frombuffer(text, np.uint8))
    _keep(directory, keep, step)
    return target


def list_files(directory):
    """`[(step, path)]` of the checkpoints in a folder, oldest first."""
    found = [(_NAME.match(p.name), p) for p in Path(directory).glob("step-*.npz")]
    return sorted((int(match[1]), path) for match, path in found if match)


def write_index(directory, steps):
    """Records which steps a folder holds checkpoints of, so that a file that is lost is missed."""
    with files.replacing(Path(directory) / INDEX) as draft:
        draft.write_text(json.dumps({"steps": steps}))


def list_recorded(directory):
    """As `list_files`, with the files that should be there by the folder's record and are not."""
    directory = Path(directory)
    try:
        steps = [int(step) for step in json.loads((directory / INDEX).read_text())["steps"]]
    except (OSError, ValueError, TypeError, KeyError):
        steps = []  # no record, as in a folder of an older version
    return sorted(
        {**{s: directory / f"step-{s:010d}.npz" for s in steps}, **dict(list_files(directory))}.items()
    )


def read(path):
    """Reads and verifies one checkpoint.

    Returns:
        (arrays by name, meta dict).

    Raises:
        CheckpointError: If the file is missing, truncated, damaged or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("__meta__").tobytes())
        written, digest, _ = meta["format"], meta["sha256"], meta["step"]
    except Exception as error:  # a damaged zip raises nearly anything
        raise CheckpointError(
            f"A checkpoint must be a whole .npz file. Received: {path} ({error}). Use an older one."
        ) from error
    if written != FORMAT:
        fail(
            f"This version ({__version__}) reads checkpoints of format {FORMAT}.",
            f"{path}, of format {written}, written by version {meta.get('version')}",
            "Go on with the version that wrote it.",
        )
    if digest != _digest(arrays):
        fail("A checkpoint must match its hash.", f"{path}, which is damaged", "Use an older one.")
    return arrays, meta


def restore(path, model):
    """Puts a checkpoint's values into a compiled model of the same architecture; returns its meta dict.

    Raises:
        CheckpointError: If the file is damaged, or if a class, name, shape or dtype differs; nothing is
            assigned then.
    """
    arrays, meta = read(path)
    variables = variables_of(model)
    parts = parts_of(model)
    wrong = [f"{k} {parts.get(k)}, not {v}" for k, v in meta.get("parts", parts).items() if parts.get(k) != v]
    wrong += sorted(set(arrays) ^ set(variables)) or [
        name for name, variable in variables.items() if not _fits(variable, arrays[name])
    ]
    if wrong:
        fail(
            "A checkpoint must be of the same architecture as the model.",
            f"{path}, which differs in {len(wrong)} variables, first {wrong[0]!r}",
            "Build the model with the settings of the run that wrote it.",
        )
    for name, variable in variables.items():
        variable.assign(_from_numpy(variable, arrays[name]))
    return meta


def not_finite(model):
    """Paths of the trainable variables that hold NaN or inf."""
    floats = {v.path: _local(v) for v in model.trainable_variables}
    return [path for path, value in floats.items() if not bool(tf.reduce_all(tf.math.is_finite(value)))]


def _keep(directory, keep, last):
    """Records the newest `keep` checkpoints, then removes the others and what killed processes left.

    Those of steps after the `last` one saved are of a course that was given up.
    """
    found = list_files(directory)
    kept = [(step, path) for step, path in found if step <= last][-keep:]
    write_index(directory, [step for step, _ in kept])
    for _, path in set(found) - set(kept):
        path.unlink(missing_ok=True)
    files.clear_drafts(directory)


def _local(variable):
    value = variable.value
    local = getattr(value, "values", None)  # a mirrored variable: every replica holds the same
    return tf.convert_to_tensor(local[0] if local else value)


def _to_numpy(variable):
    array = np.asarray(_local(variable).numpy())
    return array.view("V2") if array.dtype == tf.bfloat16.as_numpy_dtype else array  # .npz has no bfloat16


def _from_numpy(variable, array):
    return array.view(tf.bfloat16.as_numpy_dtype) if array.dtype.kind == "V" else array


def _fits(variable, array):
    dtype = "bfloat16" if array.dtype.kind == "V" else array.dtype.name
    return tuple(variable.shape) == array.shape and keras.backend.standardize_dtype(variable.dtype) == dtype


def _digest(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}{arrays[name].dtype}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
