"""Writes a version of a model for TensorFlow Serving.

`save(model_or_run_dir, models_dir, name=None) -> path` writes `<models_dir>/<name>/<integer>/`: the
SavedModel, its warm-up records, the answers of the Keras model to a few requests (for `export verify`) and
the model card; beside it `models.config`, `batching.config`, `monitoring.config`. The version is built in a
hidden folder, loaded and warmed up once as a server would, and appears by one rename: a server never sees a
half of it.
"""

import contextlib
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import tfmmd
from export import model_card, reference, serving_files, versions, warmup
from export.errors import first_line
from export.session import LoadedModel
from tfmmd import checks


def save(model_or_run_dir, models_dir, name=None, *, batching=None):
    """Writes the next version of a model.

    Args:
        model_or_run_dir: A `tfmmd` model, or the folder of a run (`model.keras`, `config.json`).
        models_dir: Folder of all models; made where needed.
        name: Name to serve under; None is the run folder's name, or the model's.
        batching: `serving_files.Batching` for a new models folder; an existing batching.config wins.

    Returns:
        `pathlib.Path` of the version folder.

    Raises:
        ValueError: If there is no trained model, its weights are not finite, or it was made by another
            version of the package.
        ServingError: If the written SavedModel does not load or warm up.
        OSError: If the disk is full or read-only. After any error no version and no new folder is left.

    Example:
        ```python
        path = export.saved_model.save("runs/gmmn-digits", "models")   # models/gmmn-digits/1
        ```
    """
    model, run = _resolve(model_or_run_dir)
    name = versions.check_name(name or run.get("name") or model.name)
    _check_weights(model)
    models_dir = Path(models_dir)
    made = _make_folders(models_dir / name)
    try:
        sizes = _batching(models_dir, batching)
        with _draft(models_dir / name) as version:
            model.export(version)
            _add_extras(model, run, version, name, sizes)
            return _publish(version, models_dir / name, batching)
    except BaseException:
        for folder in made:
            _remove_if_empty(folder)
        raise


def load_run(run_dir):
    """The trained model of a run and its `config.json` and `metrics.json` as a dict.

    Raises:
        ValueError: If the folder has no trained model or the model is of another version of the package.
    """
    folder = Path(run_dir)
    path = folder / "model.keras"
    if not path.is_file():
        checks.fail(
            "A run folder holds a trained model.", f"{folder} without model.keras", "Finish the run first."
        )
    config, metrics = (_json(folder / f"{part}.json") for part in ("config", "metrics"))
    _check_version(config)
    try:
        model = keras.models.load_model(path)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        checks.fail(
            f"model.keras must load in tfmmd {tfmmd.__version__}.",
            f"{path}: {first_line(error)}",
            "Use the version of the package that wrote it, or train again.",
        )
    return model, {"name": folder.resolve().name, "config": config, "metrics": metrics}


def _resolve(model_or_run_dir):
    if isinstance(model_or_run_dir, tfmmd.models.GenerativeModel):
        return model_or_run_dir, {}
    if isinstance(model_or_run_dir, keras.Model):
        checks.fail(
            "`save` takes a tfmmd model or a run folder.",
            repr(model_or_run_dir),
            "Wrap the network in a system.",
        )
    model, run = load_run(model_or_run_dir)
    if not isinstance(model, tfmmd.models.GenerativeModel):
        checks.fail(
            "A run holds a tfmmd model.", f"{type(model).__name__}", "Export other models with Keras."
        )
    return model, run


def _json(path):
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        return checks.fail("A run's files are JSON.", f"{path}: {error}", "Mend or remove the file.")


def _check_version(config):
    wrote = config.get("versions", {}).get("tfmmd")
    if wrote and wrote.split(".")[:2] != tfmmd.__version__.split(".")[:2]:
        checks.fail(
            f"A run of this version of the package is needed, {tfmmd.__version__}.",
            f"a run of tfmmd {wrote}",
            f"Install tfmmd {wrote} to export it, or train again.",
        )


def _check_weights(model):
    for weight in model.weights:
        value = weight.numpy()
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            checks.fail(
                "A served model has finite weights.",
                f"NaN or inf in {weight.path} {value.shape}",
                "Train the model first, or go back to a checkpoint before it diverged.",
            )


def _make_folders(folder):
    """Makes a folder and its parents; returns the new ones, innermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_if_empty(folder):
    """Removes a folder with no more in it than the small files of this save."""
    ours = {versions.LAST, serving_files.BATCHING, serving_files.MONITORING}
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= ours:
        shutil.rmtree(folder)


def _batching(models_dir, batching):
    exists = (models_dir / serving_files.BATCHING).exists()
    return batching if batching and not exists else serving_files.read_batching(models_dir)


@contextlib.contextmanager
def _draft(model_dir):
    """A path to write a version at, gone after the block unless published."""
    draft = Path(tempfile.mkdtemp(prefix=".saving-", dir=model_dir))
    try:
        yield draft / "version"
    except tf.errors.OpError as error:  # TensorFlow writes files too
        raise OSError(f"No version was written to {model_dir}: {first_line(error)}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _publish(draft, model_dir, batching=None):
    """Publishes a draft and writes the config files that list it: both, or neither.

    One writer at a time in a models folder: two could each list only the versions they saw.
    """
    with versions.locked(model_dir.parent):
        path = versions.publish(draft, model_dir)
        try:
            serving_files.write(model_dir.parent, batching)
        except BaseException:
            shutil.rmtree(path)
            raise
        return path


def _add_extras(model, run, version, name, batching):
    loaded = LoadedModel(version)
    try:
        warmup.write(version, loaded.signatures, name, batching.sizes)
        warmup.replay(loaded)
        reference.write(version, model)
        known = model_card.facts(
            model,
            name=name,
            signatures=loaded.signatures,
            config=run.get("config"),
            metrics=run.get("metrics"),
        )
        model_card.write(version, known)
    finally:
        loaded.close()
