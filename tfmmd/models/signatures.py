"""Serving endpoints of the models and the SavedModel that holds them.

Every input and output has a leading batch dimension and every row is computed by itself, so that a server
may merge and pad requests.
"""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf


def per_row(function, *arrays):
    """Applies `function` to arrays of rows `[n, ...]` so that a row depends on `n` by rounding at most.

    TensorFlow takes one row by a matrix-vector product, and with AVX2 the rows of a matrix product in blocks of
    six, where one to three rows left over round differently: the last row is repeated until neither is so.
    Other processors have blocks of other sizes.
    """
    n = tf.shape(arrays[0])[0]
    rows = tf.minimum(tf.range(tf.maximum(n, (n + 5) // 6 * 6 - 2)), n - 1)
    return function(*(tf.gather(x, rows) for x in arrays))[:n]


def seed_spec():
    """One int64 seed per row."""
    return tf.TensorSpec([None], tf.int64, name="seed")


def spec(name, shape):
    """float32 rows `[b, *shape]`."""
    return tf.TensorSpec([None, *shape], tf.float32, name=name)


def of_generator(model):
    """`sample` and `decode`, the endpoints that every system has."""
    return {
        "sample": (lambda seed: {"samples": model.sample_rows(seed)}, [seed_spec()]),
        "decode": (
            lambda latent: {"samples": per_row(model.decode, latent)},
            [spec("latent", [model.latent_size])],
        ),
    }


def of_autoencoder(model):
    """`encode`, `reconstruct` and `interpolate` beside the generator's endpoints."""
    shape = model.sample_shape
    data, pair = [spec("x", shape)], [spec("start", shape), spec("end", shape)]
    return {
        **of_generator(model),
        "encode": (lambda x: {"latent": per_row(model.encode, x)}, data),
        "reconstruct": (lambda x: {"reconstruction": per_row(model.reconstruct, x)}, data),
        "interpolate": (
            lambda start, end, weight: {"samples": per_row(model.blend, start, end, weight)},
            [*pair, spec("weight", [])],
        ),
    }


def write(model, filepath, *, verbose=False):
    """Writes the SavedModel of `model.endpoints()` to a folder that does not exist yet, by one rename.

    Args:
        model: A `GenerativeModel`.
        filepath: The folder; `sample` becomes `serving_default`.
        verbose: Whether Keras prints the endpoints.

    Raises:
        FileExistsError: If the folder exists; nothing is written then.
    """
    target = Path(filepath)
    if target.exists():
        raise FileExistsError(
            f"`export` writes a new folder. Received: {os.fspath(target)}, which exists. "
            "Remove it or choose another path."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    try:
        _archive(model).write_out(draft / "model", verbose=verbose)
        os.rename(draft / "model", target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _archive(model):
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, (function, specs) in model.endpoints().items():
        archive.add_endpoint(name, function, input_signature=specs)
    return archive
