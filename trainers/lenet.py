"""Trains the LeNet whose features measure samples: `python -m trainers run lenet --dataset mnist`.

For a folder of its own, like any run: `model.keras`, `config.json`, `metrics.json`, `logs/`.
"""

import contextlib
import sys
from pathlib import Path

import keras

from tfmmd import callbacks, checks, data, networks, optimizers
from tfmmd.metrics.feature_cache import file_hash
from trainers import strategies
from trainers.description import describe
from trainers.progress import Progress
from trainers.recipe import Recipe
from trainers.run_data import RunData
from trainers.run_folder import RunFolder, save_model, write_json

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


RECIPE = Recipe(
    system="lenet",
    title="LeNet classifier: the features of KID, FID and the inception score",
    reference="lecun1998",
    build=build,
    compile=compile_model,
    settings=SETTINGS,
    presets={"quick": {}, "paper": {}},
    special={("digits", "quick"): {"epochs": 60}},
    measures=(),
)


def run(options):
    """Trains and tests the classifier; returns (folder, scores).

    Args:
        options: `trainers.runner.RunOptions`.
    """
    settings = RECIPE.resolve(options.dataset, options.preset, options.overrides)
    if options.strategy == "multiworker":
        checks.fail(
            "The classifier is trained by one process.",
            "strategy='multiworker'",
            "Use --strategy none or mirrored.",
        )
    strategy = strategies.make(options.strategy, options.devices)
    run_data = RunData(options.dataset, settings, options.seed)
    x, y = run_data.load(settings.split, with_labels=True)
    steps = data.steps_per_epoch(len(x), settings.batch_size)
    settings = type(settings)({**settings, "steps": steps * settings.epochs})
    folder = RunFolder(options.run_dir or default_path(options.dataset).parent)
    folder.open(describe(options, settings), resume=options.resume, force=options.force)
    try:
        scores = _train(strategy, options, settings, run_data, folder, (x, y), steps)
    finally:
        folder.close()
    return folder, scores


def _train(strategy, options, settings, run_data, folder, arrays, steps):
    with strategy.scope() if strategy else contextlib.nullcontext():
        keras.utils.set_random_seed(options.seed % 2**32)
        model = build(settings, run_data)
        compile_model(model, settings)
    resume = callbacks.Resume(folder.checkpoints)
    start = resume.restore(model)
    model.fit(
        data.batches(arrays, settings.batch_size, seed=options.seed, start_step=start),
        steps_per_epoch=steps,
        initial_epoch=start // steps,
        epochs=settings.epochs,
        callbacks=[
            Progress(settings.steps, start, settings.batch_size),
            resume,
            keras.callbacks.TensorBoard(folder.logs),
        ],
        verbose=0,
    )
    save_model(model, folder.model)
    loss, accuracy = model.evaluate(*run_data.load("test", with_labels=True), batch_size=500, verbose=0)
    scores = {"test accuracy": accuracy, "test loss": loss, "sha256": file_hash(folder.model)}
    write_json(folder.metrics, scores)
    print(f"test accuracy {accuracy:.4f}, sha256 {scores['sha256'][:16]}...", file=sys.stderr)
    return scores
