"""Runs a recipe: strategy, data, model, callbacks, run folder, resume."""

import contextlib
import dataclasses
import sys
import warnings

import keras
import tensorflow as tf

from tfmmd import callbacks, checks, data
from tfmmd.data.images import check_range
from trainers import strategies, systems, workers
from trainers.description import describe
from trainers.phases import Interrupted, Phases
from trainers.progress import Progress
from trainers.recipe import Settings
from trainers.run_data import RunData
from trainers.run_folder import RunFolder, last_record, read_config, save_model

SAME = ("system", "dataset", "preset", "seed", "settings")  # what workers, and a resumed run, must agree on


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What the command line says of a run.

    Args:
        system: System name, as in `trainers.systems.SYSTEMS`.
        dataset: Dataset name, as in `tfmmd.data.load`.
        preset: "quick", "paper" or "best".
        run_dir: Run folder; None is `runs/<system>-<dataset>-<preset>`.
        seed: Seed of weights, data order and noise.
        strategy: "none", "mirrored" or "multiworker".
        devices: As in `strategies.use_devices`; None takes all GPUs, or the CPU.
        resume: Continue the run in the folder.
        force: Replace the run in the folder.
        overrides: Settings that win over the recipe's.
        rollbacks: How often a run that diverges goes back to its last checkpoint, at half the learning rates.
    """

    system: str
    dataset: str = "digits"
    preset: str = "quick"
    run_dir: str | None = None
    seed: int = 0
    strategy: str = "none"
    devices: str | None = None
    resume: bool = False
    force: bool = False
    overrides: dict = dataclasses.field(default_factory=dict)
    rollbacks: int = 0


def run(options):
    """Trains a system as its recipe says and fills its run folder.

    Args:
        options: `RunOptions`.

    Returns:
        The `RunFolder`, with the trained model in it.

    Raises:
        ValueError: For unknown names and bad settings, before anything is written.
        RunFolderError: If the folder cannot be used.
        Interrupted: If SIGTERM or SIGINT stopped the run; `resume=True` goes on.
        workers.WorkerLost: If one of several workers does not come, or is gone.
    """
    recipe = systems.recipe(options.system)
    settings = recipe.resolve(options.dataset, options.preset, options.overrides)
    check_settings(settings)
    seed = checks.int64("seed", options.seed)
    checks.non_negative("rollbacks", options.rollbacks)
    config = describe(options, settings)
    line = meet(options, config)
    strategy = strategies.make(options.strategy, options.devices)
    strategies.check_batch(settings.batch_size, strategy.num_replicas_in_sync if strategy else 1)
    run_data = RunData(options.dataset, settings, seed)
    check_rows(recipe, settings, run_data)
    name = options.dataset.strip("/").replace("/", "-").replace(":", "-")
    folder = RunFolder(options.run_dir or f"runs/{options.system}-{name}-{options.preset}")
    chief = strategies.is_chief(options.strategy)
    if chief:
        folder.check(config, resume=options.resume, force=options.force)
    try:
        with workers.together(line, folder.close if chief else None):
            with strategy.scope() if strategy else contextlib.nullcontext():
                model = build(recipe, settings, run_data)
            extra = recipe.callbacks(settings, run_data)  # all settings are used before anything is written
            if chief:
                folder.open(config, resume=options.resume, force=options.force)
            train(recipe, model, extra, settings, run_data, folder, chief, options.rollbacks, line)
        if chief:
            save_model(model, folder.model)
    finally:
        if chief:
            folder.close()
    return folder


def meet(options, config):
    """The line to the other workers, once all are there and agree; None for one process."""
    if options.strategy != "multiworker":
        return None
    same = {name: config[name] for name in (*SAME, "versions")}
    flags = {"resume": options.resume, "force": options.force}
    return workers.meet(workers.cluster(), {**same, **flags})


def build(recipe, settings, run_data):
    """The compiled model of a recipe; initial weights are a function of the seed."""
    keras.utils.set_random_seed(run_data.seed % 2**32)
    model = recipe.build(settings, run_data)
    recipe.compile(model, settings)
    return model


def train(recipe, model, extra, settings, run_data, folder, chief=True, rollbacks=0, line=None):
    """Fits the model from its last checkpoint, or from step 0, to the end; the chief alone writes."""
    for picture in (callback for callback in extra if chief and hasattr(callback, "write_to")):
        picture.write_to(folder.logs, folder.path)
    stateful = [callback for callback in extra if hasattr(callback, "state")]
    resume = callbacks.Resume(folder.checkpoints, settings.checkpoint_every, stateful, write=chief)
    guard = callbacks.DivergenceGuard(max_rollbacks=rollbacks)
    start = resume.restore(model)
    if line:
        line.agree("step of the last checkpoint", start, "Put the run folder on a disk that all of them see.")
        line.watch()
    if start == 0 and recipe.prepare:
        recipe.prepare(model, settings, run_data, Phases(folder.phases, settings.checkpoint_every, chief))
    model.check_data(run_data.train)  # as `fit` does with arrays: it gets a dataset here
    counters, shared = [guard], [guard, *extra, resume]
    if chief:
        say(f"From step {start} of {settings.steps}.")
        progress = Progress(settings.steps, start, recipe.rows_per_step(settings), run_data.unit_name)
        grid = callbacks.SampleGrid(folder.logs, folder.samples, value_range=settings.value_range)
        board = keras.callbacks.TensorBoard(str(folder.logs), write_graph=False)
        counters = [guard, progress]
        shared = [*counters, *extra, grid, resume, board]  # the picture shows what `extra` leave
    while start < settings.steps:
        for counter in counters:
            counter.step = start
        try:
            fit_segments(recipe, model, settings, run_data, resume, shared)
            break
        except callbacks.DivergedError as error:
            start = guard.roll_back(model, resume)
            say(f"{error} Back to step {start} at lower learning rates.")
        finally:
            resume.release_signals()


def fit_segments(recipe, model, settings, run_data, resume, shared):
    """Fits from the step of `resume` to the end."""
    for epoch, epochs, steps in segments(resume.step, settings.steps, settings.report_every):
        model.fit(
            batches(recipe, run_data, settings, resume.step),
            initial_epoch=epoch,
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=shared,
            verbose=0,
        )
        if resume.interrupted:
            raise Interrupted(
                f"Stopped at step {resume.step} of {settings.steps}; --resume goes on from there.",
                resume.interrupted,
            )


def say(text):
    """Tells the user something on stderr."""
    print(text, file=sys.stderr, flush=True)


def batches(recipe, run_data, settings, start_step):
    """The endless stream of training batches from `start_step` on, a function of (seed, step)."""
    if recipe.batches:
        return recipe.batches(run_data, settings, start_step)
    return data.batches(
        run_data.train, recipe.rows_per_step(settings), seed=run_data.seed, start_step=start_step
    )


def segments(start, total, every):
    """The calls of `fit` that lead from step `start` to `total`: (initial epoch, epochs, steps per epoch).

    An epoch is `every` steps; a run that was stopped inside of one, or whose total is not a multiple, has a
    short one.
    """
    parts = []
    while start < total:
        epoch, inside = divmod(start, every)
        if inside or total - start < every:
            count, steps = 1, min(every - inside, total - start)
        else:
            count, steps = (total - start) // every, every
        parts.append((epoch, epoch + count, steps))
        start += count * steps
    return parts


def check_settings(settings):
    """Checks the settings that every run has."""
    for name in ("batch_size", "steps", "report_every", "checkpoint_every", "num_samples"):
        checks.positive_int(name, settings[name])
    check_range(settings.value_range)


def check_rows(recipe, settings, run_data):
    """Checks that a step finds enough rows in the training data."""
    rows, have = recipe.rows_per_step(settings), len(run_data.train)
    if rows > have:
        checks.fail(
            f"A step of {recipe.system} takes {rows} rows.",
            f"{have} rows in {run_data.dataset!r}, split {settings.split!r}",
            "Use a smaller --batch-size.",
        )


def load(run_dir):
    """The trained model of a run folder, its config and its data.

    Raises:
        RunFolderError: If there is no run.
        ValueError: If it has no trained model yet.
    """
    config = read_config(run_dir)
    folder = RunFolder(run_dir)
    if not folder.model.exists():
        checks.fail(
            "A finished run has a model.keras.",
            f"{folder.path}, without one",
            "Finish it with trainers run --resume.",
        )
    model = load_model(folder.model, config)
    defaults = systems.recipe(config["system"]).resolve(config["dataset"], config["preset"])
    settings = Settings({**defaults, **config["settings"]})  # an older version knew fewer
    return model, config, RunData(config["dataset"], settings, config["seed"])


def load_model(path, config):
    """The model of a `.keras` file, in Keras's safe mode: no code is loaded from it.

    Raises:
        ValueError: If the file is damaged or was written by a version that this one cannot read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file raises nearly anything
        versions = last_record(config)["versions"] or {}
        raise ValueError(
            checks.message(
                "A model.keras must be whole and of a version that this one reads.",
                f"{path}, written with {versions} ({error})",
                "Use the version that wrote it, or train it again with --force.",
            )
        ) from error


def use_deterministic_ops():
    """Makes TensorFlow's operations repeat bit for bit; a resumed run then equals an uninterrupted one."""
    tf.config.experimental.enable_op_determinism()
