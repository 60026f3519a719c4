"""Scores of a finished run: every measure that applies, with its standard error and its anchors."""

import sys

import numpy as np

from tfmmd import checks
from trainers import anchors, runner, systems
from trainers.run_folder import RunFolder, write_json

EVALUATION_SEED = 20_000_000  # far from the seeds of pictures


def parzen(model, run_data, settings):
    """Parzen log-likelihood of the model's samples beside its anchors."""
    images = to_unit_range(model.sample(settings.num_samples, seed=EVALUATION_SEED), settings)
    return {
        "parzen": anchors.score(images, run_data).to_dict(),
        "parzen anchors": anchors.parzen_anchors(run_data, settings.num_samples),
    }


MEASURES = {"parzen": parzen}


def to_unit_range(samples, settings):
    """Samples in the run's value range as NumPy rows in [0, 1]."""
    low, high = settings.value_range
    return (np.asarray(samples) - low) / (high - low)


def evaluate(run_dir, measures=None):
    """Recomputes the scores of a run and writes them to its `metrics.json`.

    Args:
        run_dir: Folder of a finished run.
        measures: Names in `MEASURES`; None takes those of the recipe.

    Returns:
        Dict of scores, as written.
    """
    model, config, run_data = runner.load(run_dir)
    names = measures or systems.recipe(config["system"]).measures
    scores = {}
    for name in names:
        measure = MEASURES[checks.one_of("measure", name, MEASURES)]
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        scores |= measure(model, run_data, run_data.settings)
    write_json(RunFolder(run_dir).metrics, scores)
    return scores


def report(scores):
    """The scores as lines for people."""
    lines = []
    if "parzen" in scores:
        value = scores["parzen"]
        lines.append(_parzen_line("model", value))
        lines += [_parzen_line(name, anchor) for name, anchor in scores["parzen anchors"].items()]
    return "\n".join(lines)


def _parzen_line(name, value):
    return (
        f"Parzen log-likelihood ({value['num_samples']} samples) {name:>18}: "
        f"{value['mean']:8.2f} +- {value['standard_error']:.2f} nats, bandwidth {value['bandwidth']:.2f}"
    )
