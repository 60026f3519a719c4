"""Scores of a finished run: every measure that applies, with its standard error and its anchors."""

import dataclasses
import sys
from pathlib import Path

from tfmmd import checks, data, metrics
from tfmmd.metrics import features
from trainers import (
    anchors,
    classification,
    hparams,
    lenet,
    measures_autoencoder,
    measures_likelihood,
    runner,
    systems,
)
from trainers.run_folder import RunFolder, read_json, write_json

KID_SUBSET = 1000  # rows of a published subset
OF_FEATURES = ("kid", "fid", "inception_score", "precision_recall")


def parzen(model, run_data, settings):
    """Parzen log-likelihood of the model's samples beside its anchors."""
    estimate = anchors.score(samples_of(model, run_data, settings), run_data)
    return {
        "parzen": estimate.to_dict(),
        "parzen anchors": anchors.parzen_anchors(run_data, settings.num_samples),
    }


def of_features(name):
    """The measure `name` on the features of the dataset's LeNet."""

    def measure(model, run_data, settings):
        missing = missing_extractor(settings, run_data.dataset)
        if missing:
            return {name: {"not measured": missing}}
        held_out = held_out_of(run_data, extractor_path(settings, run_data.dataset))
        rows = len(held_out.test)
        samples = samples_of(model, run_data, settings, rows)  # the same number of both
        function = kid_of_all_pairs if name == "kid" and rows < KID_SUBSET else None
        record = metrics.measure_samples(samples, held_out, {name: function} if function else (name,))[name]
        return {name: {**record.to_dict(), "text": str(record)}}

    return measure


def extractor_path(settings, dataset):
    """The file of the LeNet whose features measure a run."""
    return Path(settings.get("features") or lenet.default_path(dataset))


def missing_extractor(settings, dataset):
    """What a user can do where there is no extractor, or None where there is one."""
    path = extractor_path(settings, dataset)
    if path.exists():
        return None
    if data.kind(dataset) != "name":
        return "no extractor: data without labels train none; give one with --set features=FILE.keras"
    return f"no extractor at {path}; make it with `python -m trainers run lenet --dataset {dataset}`"


def kid_of_all_pairs(samples, held_out):
    """KID where there are fewer rows than its published subsets have."""
    real, fake = held_out.test_features, held_out.features(samples)
    record = metrics.kernel_inception_distance(real, fake, estimator="full")
    return dataclasses.replace(record, extractor=held_out.extractor.name)


def pixel_kid(model, run_data, settings):
    """KID of the samples themselves, flat and without an extractor: it is there for every run and dataset."""
    real = run_data.unit(run_data.test)
    flat = [x.reshape(len(x), -1) for x in (real, samples_of(model, run_data, settings, len(real)))]
    how = {"estimator": "full"} if len(real) < KID_SUBSET else {}
    return {"pixel_kid": metrics.kernel_inception_distance(*flat, **how).to_dict()}


def held_out_of(run_data, path):
    """The test data of a run with the LeNet at `path`, which must be the file that its training hashed."""
    scores = path.with_name("metrics.json")
    expected = read_json(scores).get("sha256") if scores.exists() else None
    known = {"sha256": expected, "name": f"lenet {features.file_hash(path)[:16]}"}
    return metrics.HeldOut(
        run_data.unit(run_data.test),
        extractor=features.lenet_features(path, **known),
        classifier=features.lenet_probabilities(path, **known),
        cache_dir=anchors.cache_dir() / "features",
        data=run_data.dataset,
    )


MEASURES = {
    "parzen": parzen,
    "test_errors": classification.test_errors,
    "mode_coverage": classification.mode_coverage,
    "latent_mmd2": measures_autoencoder.latent_mmd2,
    "reconstruction": measures_autoencoder.reconstruction,
    "log_likelihood": measures_likelihood.log_likelihood,
    "many_samples_parzen": measures_likelihood.many_samples_parzen,
    "pixel_kid": pixel_kid,
    **{name: of_features(name) for name in OF_FEATURES},
}
NEEDS = {  # of a model: the attribute without which a measure does not apply
    "reconstruction": "reconstruct",
    "latent_mmd2": "infer",
    "test_errors": "num_classes",
    "log_likelihood": "likelihood",
}


def check_names(names):
    """Checks names of measures, a sequence or None."""
    if not isinstance(names, (list, tuple, type(None))):
        checks.fail("Measures are a list of names.", f"measures={names!r}", 'Write for example ["kid"].')
    for name in names or ():
        checks.one_of("measure", name, MEASURES)


def missing_part(name, model):
    """Why a measure does not apply to a model, or None."""
    part = NEEDS.get(name)
    return f"{type(model).__name__} has no `{part}`" if part and not hasattr(model, part) else None


def samples_of(model, run_data, settings, num_samples=None):
    """The model's samples from the seeds of evaluation, as a NumPy array in the units of scores.

    Of a GAE without replacement: no training row's kernel is drawn again before all were drawn.
    """
    draw = getattr(model, "sample_stratified", model.sample)
    return run_data.unit(draw(num_samples or settings.num_samples, seed=classification.EVALUATION_SEED))


def evaluate(run_dir, measures=None):
    """Recomputes the scores of a run and writes them to its `metrics.json` and to TensorBoard's HParams tab.

    Args:
        run_dir: Folder of a finished run.
        measures: Names in `MEASURES`, whose scores replace those in the file; None takes those of the run's
            settings, else of the recipe.

    Returns:
        Dict of scores, as written; a measure that lacks something says what under "not measured".

    Raises:
        ValueError: For unknown names, or a run without a trained model.
    """
    check_names(measures)
    model, config, run_data = runner.load(run_dir)
    folder = RunFolder(run_dir)
    usual = run_data.settings.get("measures") or (*systems.recipe(config["system"]).measures, "pixel_kid")
    names = measures or usual
    scores = read_json(folder.metrics) if measures and folder.metrics.exists() else {}
    check_names(names)
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        missing = missing_part(name, model)
        found = {name: {"not measured": missing}} if missing else None
        scores |= found or MEASURES[name](model, run_data, run_data.settings)
    write_json(folder.metrics, scores)
    hparams.write(folder, config, scores)
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
            lines.append(f"{name}: {value.get('not measured') or value.get('text') or _numbers(value)}")
        else:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)


def _parzen_line(name, value):
    return (
        f"Parzen log-likelihood ({value['num_samples']} samples) {name:>18}: "
        f"{value['mean']:8.2f} +- {value['standard_error']:.2f} nats, bandwidth {value['bandwidth']:.2f}"
    )


def _numbers(value):
    if "mean" in value and isinstance(value.get("standard_error"), float):
        where = f" ({value['extractor']})" if value.get("extractor") else ""
        return f"{value['mean']:.5g} +- {value['standard_error']:.2g}{where}"
    shown = {k: v for k, v in value.items() if isinstance(v, (int, float, str)) and not isinstance(v, bool)}
    return ", ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())
