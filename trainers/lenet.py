"""Trains the LeNet whose features measure samples: `python -m trainers run lenet --dataset mnist`.

For a folder of its own, like any run: `model.keras`, `config.json`, `metrics.json`, `logs/`.
"""

import contextlib
import sys
from pathlib import Path

import keras

from tfmmd import callbacks, checks, data, networks, optimizers
from tfmmd.metrics.feature_cache import file_hash
from trainers import runner, strategies
from trainers.description import describe
from trainers.progress import Progress
from trainers.recipe import Recipe, Settings
from trainers.run_data import RunData
from trainers.run_folder import RunFolder, read_json, save_model, write_json

SETTINGS = {  # ours, after mbinkowski/MMD-GAN's LeNet: over 99 % of MNIST's test set
    "batch_size": 128,
    "epochs": 8,
    "learning_rate": 1e-3,
    "dropout": 0.5,
    "num_features": 512,
}


def default_path(dataset):
    """Where `trainers evaluate` looks for the extractor of a dataset."""
    return Path("runs") / f"lenet-{dataset}" / "model.keras"


def is_finished(path):
    """Whether the extractor at `path` is there and tested; one without a `config.json` is somebody's own file."""
    scores = path.with_name("metrics.json")
    if not path.exists() or not path.with_name("config.json").exists():
        return path.exists()
    return scores.exists() and read_json(scores).get("sha256") == file_hash(path)


def build(settings, run_data):
    labels = run_data.load(settings.split, with_labels=True)[1]
    classes = int(labels.max()) + 1
    return networks.lenet(
        run_data.sample_shape, classes, num_features=settings.num_features, dropout=settings.dropout
    )


def compile_model(model, settings):
    model.compile(
        optimizer=optimizers.FusedAdam(
            keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.steps)
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def labelled_batches(run_data, settings, start_step):
    """The endless stream of images with their labels from `start_step` on."""
    arrays = run_data.load(settings.split, with_labels=True)
    return data.batches(arrays, settings.batch_size, seed=run_data.seed, start_step=start_step)


RECIPE = Recipe(
    system="lenet",
    title="LeNet classifier: the features of KID, FID and the inception score",
    reference="lecun1998",
    build=build,
    compile=compile_model,
    settings=SETTINGS,
    presets={"quick": {}, "paper": {}},
    special={("digits", "quick"): {"epochs": 60}},
    batches=labelled_batches,
    measures=(),
)


def run(options):
    """Trains and tests the classifier; returns (folder, scores).

    Args:
        options: `trainers.runner.RunOptions`.

    Raises:
        trainers.runner.Interrupted: If SIGTERM or SIGINT stopped the training; `resume=True` goes on.
    """
    settings = RECIPE.resolve(options.dataset, options.preset, options.overrides)
    runner.check_settings(settings)
    checks.int64("seed", options.seed)
    if "steps" in options.overrides:
        checks.fail(
            "The classifier's training is counted in epochs.",
            f"steps={settings.steps}",
            "Use --set epochs=NUMBER.",
        )
    epochs = checks.positive_int("epochs", settings.epochs)
    if options.strategy == "multiworker":
        checks.fail(
            "The classifier is trained by one process.",
            "strategy='multiworker'",
            "Use --strategy none or mirrored.",
        )
    strategy = strategies.make(options.strategy, options.devices)
    run_data = RunData(options.dataset, settings, options.seed)
    x, _ = run_data.load(settings.split, with_labels=True)
    steps = data.steps_per_epoch(len(x), settings.batch_size)
    settings = Settings({**settings, "steps": steps * epochs})
    folder = RunFolder(options.run_dir or default_path(options.dataset).parent)
    folder.open(describe(options, settings), resume=options.resume, force=options.force)
    try:
        scores = _train(strategy, settings, run_data, folder, steps)
    finally:
        folder.close()
    return folder, scores


def _train(strategy, settings, run_data, folder, steps_per_epoch):
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = runner.build(RECIPE, settings, run_data)
    resume = callbacks.Resume(folder.checkpoints)
    start = resume.restore(model)
    watch = [
        Progress(settings.steps, start, settings.batch_size),
        resume,
        keras.callbacks.TensorBoard(folder.logs),
    ]
    by_epoch = Settings({**settings, "report_every": steps_per_epoch})
    runner.fit_segments(RECIPE, model, by_epoch, run_data, resume, watch)
    save_model(model, folder.model)
    loss, accuracy = model.evaluate(*run_data.load("test", with_labels=True), batch_size=500, verbose=0)
    scores = {"test accuracy": accuracy, "test loss": loss, "sha256": file_hash(folder.model)}
    write_json(folder.metrics, scores)
    print(f"test accuracy {accuracy:.4f}, sha256 {scores['sha256'][:16]}...", file=sys.stderr)
    return scores
