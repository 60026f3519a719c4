"""A finished run in TensorBoard's HParams tab: its settings beside its scores."""

import json

import tensorflow as tf
from tensorboard.plugins.hparams import api

NAMED = ("system", "dataset", "preset", "seed", "strategy")
PARTS = ("mean", "precision", "recall")


def write(folder, config, scores):
    """Replaces the HParams entry of a run.

    Args:
        folder: `RunFolder`.
        config: Content of its `config.json`.
        scores: Content of its `metrics.json`.
    """
    directory = folder.logs / "hparams"
    for old in directory.glob("events.out.tfevents.*"):
        old.unlink()
    writer = tf.summary.create_file_writer(str(directory))
    with writer.as_default():
        api.hparams(values_of(config), trial_id=str(folder.path))
        for name, value in headlines(scores).items():
            tf.summary.scalar(f"score/{name}", value, step=config["settings"]["steps"])
    writer.close()


def values_of(config):
    """Names and settings of a run as numbers, truth values and strings."""
    values = {**config["settings"], **{name: config[name] for name in NAMED}}
    return {
        name: v if isinstance(v, (bool, int, float, str)) else json.dumps(v) for name, v in values.items()
    }


def headlines(scores):
    """The scores as one number each: the means of measures, and what is a number already.

    Args:
        scores: Content of a `metrics.json`; anchors and what was not measured are left out.

    Returns:
        Dict from a name without spaces to a float.
    """
    found = {}
    for name, value in scores.items():
        if isinstance(value, dict) and "anchors" not in name:
            parts = {part: value[part] for part in PARTS if isinstance(value.get(part), (int, float))}
            found |= {name if part == "mean" else part: number for part, number in parts.items()}
        elif isinstance(value, (int, float)):
            found[name] = value
    return {name.replace(", ", "_").replace(" ", "_"): float(value) for name, value in found.items()}
