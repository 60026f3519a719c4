"""Scores of a finished run: every measure that applies, with its standard error and its anchors."""

import sys
from pathlib import Path

import numpy as np

from tfmmd import checks, metrics
from tfmmd.metrics import features
from trainers import (
    anchors,
    classification,
    lenet,
    measures_autoencoder,
    measures_likelihood,
    runner,
    systems,
)
from trainers.run_folder import RunFolder, write_json

OF_FEATURES = ("kid", "fid", "inception_score", "precision_recall")


def parzen(model, run_data, settings):
    """Parzen log-likelihood of the model's samples beside its anchors."""
    estimate = anchors.score(samples_of(model, settings), run_data)
    return {
        "parzen": estimate.to_dict(),
        "parzen anchors": anchors.parzen_anchors(run_data, settings.num_samples),
    }


def of_features(name):
    """The measure `name` on the features of the dataset's LeNet."""

    def measure(model, run_data, settings):
        path = settings.get("features") or lenet.default_path(run_data.dataset)
        if not Path(path).exists():
            how = f"python -m trainers run lenet --dataset {run_data.dataset}"
            return {name: {"not measured": f"no extractor at {path}; make it with `{how}`"}}
        real = run_data.test
        held_out = metrics.HeldOut(
            to_unit_range(real, settings),
            extractor=features.lenet_features(path),
            classifier=features.lenet_probabilities(path),
        )
        samples = samples_of(model, settings, len(real))  # the same number of both
        record = metrics.measure_samples(samples, held_out, (name,))[name]
        return {name: {**record.to_dict(), "extractor": f"lenet {features.file_hash(path)[:16]}"}}

    return measure


MEASURES = {
    "parzen": parzen,
    "test_errors": classification.test_errors,
    "mode_coverage": classification.mode_coverage,
    "latent_mmd2": measures_autoencoder.latent_mmd2,
    "reconstruction": measures_autoencoder.reconstruction,
    "log_likelihood": measures_likelihood.log_likelihood,
    "many_samples_parzen": measures_likelihood.many_samples_parzen,
    **{name: of_features(name) for name in OF_FEATURES},
}


def samples_of(model, settings, num_samples=None):
    """The model's samples from the seeds of evaluation, as a NumPy array in [0, 1]."""
    return to_unit_range(
        model.sample(num_samples or settings.num_samples, seed=classification.EVALUATION_SEED), settings
    )


def to_unit_range(samples, settings):
    """Samples in the run's value range as a NumPy array in [0, 1]."""
    low, high = settings.value_range
    return (np.asarray(samples) - low) / (high - low)


def evaluate(run_dir, measures=None):
    """Recomputes the scores of a run and writes them to its `metrics.json`.

    Args:
        run_dir: Folder of a finished run.
        measures: Names in `MEASURES`; None takes those of the recipe.

    Returns:
        Dict of scores, as written; a measure that lacks something says what under "not measured".
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
    for name, value in scores.items():
        if name == "parzen anchors":
            lines += [_parzen_line(anchor, score) for anchor, score in value.items()]
        elif name == "parzen":
            lines.append(_parzen_line("model", value))
        elif isinstance(value, dict):
            lines.append(f"{name}: {value.get('not measured') or _numbers(value)}")
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


def _parzen_line(name, value):
    return (
        f"Parzen log-likelihood ({value['num_samples']} samples) {name:>18}: "
        f"{value['mean']:8.2f} +- {value['standard_error']:.2f} nats, bandwidth {value['bandwidth']:.2f}"
    )


def _numbers(value):
    shown = {k: v for k, v in value.items() if isinstance(v, (int, float, str)) and not isinstance(v, bool)}
    return ", ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())
