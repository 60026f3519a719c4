"""A cache of features on disk whose key is everything they depend on, so that it cannot go stale."""

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

import numpy as np

from tfmmd import checks

_NAMES = ("name", "keras_history", "input_layers", "output_layers")


def cached_features(extractor, images, cache_dir, *, data, split):
    """Features of `images`, read from `cache_dir` when exactly these were computed before.

    The key holds the data's name, split and content, the preprocessing and the extractor's fingerprint: a
    change of any of them computes anew.

    Args:
        extractor: An `Extractor` with a fingerprint.
        images: Images `[n, h, w, c]` in [0, 1].
        cache_dir: Folder of the cache; made when missing.
        data: Name of the data set.
        split: Name of the split.

    Returns:
        float32 array `[n, d]`.
    """
    if extractor.fingerprint is None:
        checks.fail(
            "A cache needs an extractor with a fingerprint.",
            "fingerprint=None",
            "Give Extractor(function, fingerprint=...) a name that changes with the function.",
        )
    key = {
        "data": data,
        "split": split,
        "content": array_hash(images),
        "preprocessing": extractor.preprocessing,
        "weights": extractor.fingerprint,
    }
    text = json.dumps(key, sort_keys=True)
    label = re.sub(r"[^\w.-]+", "_", f"{data}-{split}")  # a data set may be named by its folder
    path = Path(cache_dir) / f"{label}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    if path.exists():
        with np.load(path) as stored:
            if str(stored["key"]) == text:
                return stored["features"]
    features = extractor(images)
    _write(path, features=features, key=np.array(text))
    return features


def weights_hash(model):
    """sha256 of the structure and all weights of a Keras model."""
    structure = json.dumps(_nameless(model.get_config()), sort_keys=True, default=str)
    digest = hashlib.sha256(structure.encode())
    for weight in model.weights:
        digest.update(array_hash(weight).encode())
    return digest.hexdigest()


def array_hash(array):
    """sha256 of an array's shape, type and content."""
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def file_hash(path):
    """sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _nameless(config):
    """A config without layer names, which count up within a process."""
    if isinstance(config, dict):
        return {key: _nameless(value) for key, value in config.items() if key not in _NAMES}
    return [_nameless(value) for value in config] if isinstance(config, (list, tuple)) else config


def _write(path, **arrays):
    """An npz file, complete or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".npz")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, **arrays)
    os.replace(name, path)
