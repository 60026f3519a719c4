"""One file that holds a whole training state, written atomically and verified on load."""

import hashlib
import json
import os
import re
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np

from tfmmd import checks

FORMAT = 1
_NAME = re.compile(r"step-(\d{10})\.npz$")


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not fit the model."""


def variables_of(model):
    """All state of a compiled model, in a fixed order: name -> Keras variable.

    Names are owner and place: Keras's own names count up within a process.
    """
    state = {f"model/{i:04d}": v for i, v in enumerate(model.weights)}
    for name in getattr(model, "compile_names", ("optimizer",)):
        optimizer = getattr(model, name, None)
        if isinstance(optimizer, keras.optimizers.Optimizer):
            state |= {f"{name}/{i:04d}": v for i, v in enumerate(optimizer.variables)}
    return state


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
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {name: _to_numpy(variable) for name, variable in variables_of(model).items()}
    meta = {"format": FORMAT, "step": int(step), "model": type(model).__name__, "sha256": _digest(arrays)}
    meta = json.dumps({**meta, "extra": extra or {}}).encode()
    target = directory / f"step-{int(step):010d}.npz"
    _write(target, {**arrays, "__meta__": np.frombuffer(meta, np.uint8)})
    for _, old in list_files(directory)[:-keep]:
        old.unlink(missing_ok=True)
    return target


def list_files(directory):
    """`[(step, path)]` of the checkpoints in a folder, oldest first."""
    found = [(_NAME.match(p.name), p) for p in Path(directory).glob("step-*.npz")]
    return sorted((int(match[1]), path) for match, path in found if match)


def read(path):
    """Reads and verifies one checkpoint.

    Returns:
        (arrays by name, meta dict).

    Raises:
        CheckpointError: If the file is truncated, damaged or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("__meta__").tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"A checkpoint must be a whole .npz file. Received: {path} ({error})."
        ) from error
    if meta.get("format") != FORMAT:
        raise CheckpointError(
            f"Checkpoints of format {FORMAT} are read. Received: {path}, {meta.get('format')}."
        )
    if meta["sha256"] != _digest(arrays):
        raise CheckpointError(f"A checkpoint must match its hash. Received: {path}, which is damaged.")
    return arrays, meta


def restore(path, model):
    """Puts a checkpoint's values into a compiled model of the same architecture; returns its meta dict.

    Raises:
        CheckpointError: If the file is damaged, or if a name or shape differs; nothing is assigned then.
    """
    arrays, meta = read(path)
    variables = variables_of(model)
    wrong = sorted(set(arrays) ^ set(variables)) or [
        name for name, variable in variables.items() if tuple(variable.shape) != arrays[name].shape
    ]
    if wrong:
        raise CheckpointError(
            checks.message(
                "A checkpoint must be of the same architecture as the model.",
                f"{path}, which differs in {len(wrong)} variables, first {wrong[0]!r}",
                "Build the model with the settings of the run that wrote it.",
            )
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return meta


def _to_numpy(variable):
    value = variable.value
    local = getattr(value, "values", None)  # a mirrored variable: every replica holds the same
    return np.asarray((local[0] if local else value).numpy())


def _digest(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}{arrays[name].dtype}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _write(target, arrays):
    handle, draft = tempfile.mkstemp(prefix=".step-", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
