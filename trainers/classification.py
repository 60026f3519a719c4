"""Scores of classifying runs, and ensembles of several."""

from pathlib import Path

import numpy as np

from tfmmd import checks, models
from tfmmd.metrics import features
from trainers import lenet, runner, semi_supervised

PREDICT_BATCH = 1_000
EVALUATION_SEED = 20_000_000  # far from the seeds of pictures


def test_errors(model, run_data, settings):
    """Wrong answers of a classifying model on the test split."""
    x, y = run_data.load("test", with_labels=True)
    return count_errors(model.predict(x, batch_size=PREDICT_BATCH, verbose=0), y)


def count_errors(probabilities, labels):
    """Errors of class probabilities `[n, K]` against labels `[n]`, as a score."""
    errors = int(np.sum(np.argmax(probabilities, axis=1) != labels))
    return {"test errors": errors, "test rows": len(labels), "test accuracy": 1.0 - errors / len(labels)}


def mode_coverage(model, run_data, settings):
    """How evenly the model's samples fall on the classes, as the dataset's LeNet sees them.

    A class counts as present when it has a tenth of its even share of samples or more.
    """
    path = settings.get("features") or lenet.default_path(run_data.dataset)
    if not Path(path).exists():
        how = f"python -m trainers run lenet --dataset {run_data.dataset}"
        return {"mode coverage": {"not measured": f"no classifier at {path}; make it with `{how}`"}}
    images = samples_of(model, settings)
    return {"mode coverage": coverage_of(np.asarray(features.lenet_probabilities(path)(images)))}


def coverage_of(probabilities):
    """Classes present and the entropy in nats of the most likely classes of probabilities `[n, K]`."""
    num_classes = probabilities.shape[1]
    shares = np.bincount(np.argmax(probabilities, axis=1), minlength=num_classes) / len(probabilities)
    positive = shares[shares > 0]
    return {
        "classes present": int(np.sum(shares >= 0.1 / num_classes)),
        "classes": num_classes,
        "entropy": float(-np.sum(positive * np.log(positive))),
        "highest entropy": float(np.log(num_classes)),
    }


def samples_of(model, settings):
    """The model's samples from the seeds of evaluation, in [0, 1]."""
    low, high = settings.value_range
    return (np.asarray(model.sample(settings.num_samples, seed=EVALUATION_SEED)) - low) / (high - low)


def ensemble(run_dirs):
    """Scores of the mean prediction of several finished runs of one dataset.

    Args:
        run_dirs: Run folders, two or more.

    Returns:
        Dict: `members` (each run's scores), `ensemble`, and `labelled rows`: how many different rows the members
        saw with labels, more than one of them alone if their choices of labels differ.

    Raises:
        ValueError: If a run does not classify, or the datasets or their training splits differ.
    """
    loaded = [runner.load(path) for path in run_dirs]
    trained_on = [f"{config['dataset']}, {data.settings.split}" for _, config, data in loaded]
    if len(set(trained_on)) != 1 or len(loaded) < 2:
        checks.fail(
            "An ensemble needs two runs or more of one dataset and split.",
            f"{trained_on}",
            "Give the folders of semi-supervised runs.",
        )
    for path, (model, _, _) in zip(run_dirs, loaded):
        if not hasattr(model, "num_classes"):
            checks.fail("Every member must classify.", f"{path}: {type(model).__name__}", "Leave it out.")
    x, y = loaded[0][2].load("test", with_labels=True)
    members = {
        str(path): count_errors(model.predict(x, batch_size=PREDICT_BATCH, verbose=0), y)
        for path, (model, _, _) in zip(run_dirs, loaded)
    }
    together = models.average_predictions([model for model, _, _ in loaded], x, PREDICT_BATCH)
    seen = [semi_supervised.labelled_rows(data, semi_supervised.labels_of(data)) for _, _, data in loaded]
    return {
        "members": members,
        "ensemble": count_errors(together, y),
        "labelled rows": len(np.unique(np.concatenate(seen))),
    }


def report(scores):
    """The scores of `ensemble` as lines for people."""
    name = f"ensemble, of {scores['labelled rows']} labelled rows"
    rows = {**scores["members"], name: scores["ensemble"]}
    return "\n".join(f"{row['test errors']:6d} of {row['test rows']}  {name}" for name, row in rows.items())
