"""`trainers tune`: Bayesian optimisation of a recipe's settings, or a grid of them; each trial is a run."""

import contextlib
import dataclasses
import math
import sys
from pathlib import Path

import keras

from tfmmd import callbacks, checks
from trainers import evaluate, gather, hparams, runner, search_space, systems
from trainers.run_data import RunData
from trainers.run_folder import RunFolder, RunFolderError, read_config

GOALS = {
    "parzen": "maximize",
    "inception_score": "maximize",
    "kid": "minimize",
    "pixel_kid": "minimize",
    "fid": "minimize",
    "latent_mmd2": "minimize",
    "reconstruction": "minimize",
    "test_errors": "minimize",
}
STUDY = "study.db"


@dataclasses.dataclass(frozen=True)
class TuneOptions:
    """What the command line says of a search.

    Args:
        system: System name.
        dataset: Dataset name, as in `tfmmd.data.load`.
        preset: The preset that settings start from.
        directory: Folder of the study and its trials; None is `runs/tune-<system>-<dataset>`.
        num_trials: Trials of the whole study; a grid takes all of its points.
        measure: A name in `GOALS`; None takes the first of the recipe's measures that has one.
        seed: Seed of the runs and of the search.
        grid: Every combination instead of Bayesian optimisation.
        overrides: Values of `--set`: fixed values, choices and ranges.
    """

    system: str
    dataset: str = "digits"
    preset: str = "quick"
    directory: str | None = None
    num_trials: int = 20
    measure: str | None = None
    seed: int = 0
    grid: bool = False
    overrides: dict = dataclasses.field(default_factory=dict)


def tune(options):
    """Searches for the best settings; the same call again continues a search that was stopped.

    Args:
        options: `TuneOptions`.

    Returns:
        Dict: `best` (value, settings, run folder, command), `trials`, `measure`, `direction`, `directory`.

    Raises:
        ValueError: For unknown names, an empty search or a measure that the run cannot take.
        RunFolderError: If the folder holds another search.
        runner.Interrupted: If a signal stopped a trial after its state was saved.
        KeyboardInterrupt: If Ctrl-C stopped one while it was built or scored.
    """
    optuna = _optuna()
    recipe = systems.recipe(options.system)
    current = recipe.resolve(options.dataset, options.preset)
    for name in options.overrides:
        checks.one_of("setting", name, sorted(current))
    fixed, space = search_space.split_overrides(options.overrides, current)
    space = space or search_space.of_recipe(recipe.tunable, current, fixed)
    _check(options, recipe, space)
    measure = options.measure or next(name for name in recipe.measures if name in GOALS)
    _check_measurable(recipe, options, measure, fixed)
    task = {name: getattr(options, name) for name in ("system", "dataset", "preset", "seed", "grid")}
    task |= {"measure": measure, "fixed": str(fixed), "space": str(space)}
    directory = Path(options.directory or f"runs/tune-{options.system}-{_plain(options.dataset)}")
    search = _Search(options, directory, measure, fixed, space)
    total = search.total()  # checks a grid before anything is written
    study = _open_study(optuna, directory, task, space, options)
    while (left := total - _num_done(optuna, study)) > 0:
        study.optimize(search.run_trial, n_trials=left, catch=(callbacks.DivergedError,))
    return _result(study, directory, measure)


@dataclasses.dataclass(frozen=True)
class _Search:
    """Runs the trials of a study."""

    options: TuneOptions
    directory: Path
    measure: str
    fixed: dict
    space: dict

    def total(self):
        """Trials of the whole study."""
        if not self.options.grid:
            return self.options.num_trials
        return math.prod(len(part.grid(name)) for name, part in self.space.items())

    def run_trial(self, trial):
        """Trains and scores one choice of settings; returns the score."""
        with _noted(trial):
            return self._run_trial(trial)

    def _run_trial(self, trial):
        values = {name: self._value(trial, name, part) for name, part in self.space.items()}
        path = trial.user_attrs.get("run_dir") or str(self.directory / f"trial-{trial.number:03d}")
        trial.set_user_attr("run_dir", path)
        _say(f"trial {trial.number}: {_shown(values)}")
        run_options = runner.RunOptions(
            self.options.system,
            self.options.dataset,
            self.options.preset,
            run_dir=path,
            seed=self.options.seed,
            resume=RunFolder(path).config.exists(),
            overrides={**self.fixed, **values},
        )
        keras.backend.clear_session()
        folder = runner.run(run_options)
        score = self._score(evaluate.evaluate(folder.path, sorted({self.measure, "pixel_kid"})))
        _say(f"trial {trial.number}: {self.measure} {score:.6g}")
        return score

    def _value(self, trial, name, part):
        if self.options.grid:
            part = search_space.Choices(tuple(part.grid(name))) if hasattr(part, "low") else part
        return part.suggest(trial, name)

    def _score(self, scores):
        found = hparams.headlines(scores)
        if self.measure not in found:
            missing = scores.get(self.measure, {}).get("not measured", "it does not apply")
            _fail_unmeasured(self.measure, missing)
        return found[self.measure]


@contextlib.contextmanager
def _noted(trial):
    """Writes down and says why a trial failed: a stopped one is queued again, a diverged one counts."""
    try:
        yield
    except (runner.Interrupted, KeyboardInterrupt):  # Ctrl-C outside of training is the latter
        trial.set_user_attr("stopped", True)
        _say(f"trial {trial.number}: stopped; the same command goes on with it")
        raise
    except callbacks.DivergedError as error:
        trial.set_user_attr("diverged", True)
        _say(f"trial {trial.number}: diverged; {error}")
        raise


def _optuna():
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ValueError(
            checks.message(
                "Tuning needs Optuna.", "no such package", "Install it: pip install 'tfmmd[tune]'."
            )
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # `_noted` says why a trial failed
    return optuna


def _check(options, recipe, space):
    if options.measure:
        checks.one_of("measure", options.measure, GOALS)
    checks.positive_int("num_trials", options.num_trials)
    if not space:
        checks.fail(
            f"A search needs settings to vary; the recipe of {recipe.system} has {sorted(recipe.tunable)}.",
            "all of them fixed" if recipe.tunable else "none",
            "Give a range or a list, such as --set learning_rate=1e-4..1e-2:log.",
        )


def _check_measurable(recipe, options, measure, fixed):
    """Refuses a measure that no trial could take, before the first one."""
    settings, missing = recipe.resolve(options.dataset, options.preset, fixed), None
    if measure in evaluate.OF_FEATURES:
        missing = evaluate.missing_extractor(settings, options.dataset)
    elif measure in evaluate.NEEDS:
        model = recipe.build(settings, RunData(options.dataset, settings, options.seed))
        missing = evaluate.missing_part(measure, model)
    if missing:
        _fail_unmeasured(measure, missing)


def _fail_unmeasured(measure, missing):
    checks.fail("A search needs a measured score.", f"{measure}: {missing}", "Use another --measure.")


def _open_study(optuna, directory, task, space, options):
    """The study of a folder, made or continued; trials that a stop left behind are queued again."""
    directory.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{(directory / STUDY).resolve()}"
    study = optuna.create_study(
        storage=url, study_name="tune", direction=GOALS[task["measure"]], load_if_exists=True
    )
    old = study.user_attrs.get("task")
    for name in task if old else ():
        if old.get(name) != task[name]:
            raise RunFolderError(
                f"A folder holds one search. Received: {name}={task[name]!r}, was {old.get(name)!r} in {directory}. "
                "Repeat the old command to continue it, or give another --dir."
            )
    study.set_user_attr("task", task)
    study.sampler = _sampler(optuna, study, space, options)
    _queue_again(optuna, study)
    return study


def _sampler(optuna, study, space, options):
    if options.grid:
        return optuna.samplers.GridSampler(
            {name: part.grid(name) for name, part in space.items()}, seed=options.seed
        )
    return optuna.samplers.TPESampler(seed=(options.seed + len(study.trials)) % 2**32, n_startup_trials=5)


def _queue_again(optuna, study):
    """Ends trials that no living process runs and queues their settings, with their run folders."""
    states = optuna.trial.TrialState
    waiting = {
        t.user_attrs.get("run_dir") for t in study.trials if t.state in (states.WAITING, states.COMPLETE)
    }
    for trial in study.trials:
        path = trial.user_attrs.get("run_dir")
        stopped = trial.state == states.RUNNING or (
            trial.state == states.FAIL and "stopped" in trial.user_attrs
        )
        if path is None or not stopped or path in waiting or RunFolder(path).owned:
            continue
        if trial.state == states.RUNNING:
            study.tell(trial.number, state=states.FAIL)
        study.enqueue_trial(trial.params, user_attrs={"run_dir": path})
        waiting.add(path)


def _num_done(optuna, study):
    """Trials that ended by themselves: with a score, or by divergence."""
    states = optuna.trial.TrialState
    failed = [t for t in study.trials if t.state == states.FAIL and "diverged" in t.user_attrs]
    return len(failed) + sum(t.state == states.COMPLETE for t in study.trials)


def _result(study, directory, measure):
    trials = [
        {"number": t.number, "state": t.state.name.lower(), "value": t.value, "settings": _settings_of(t)}
        | {"run_dir": t.user_attrs.get("run_dir")}
        for t in study.trials
    ]
    best = min(
        (t for t in trials if t["value"] is not None),
        key=lambda t: t["value"] * (1 if GOALS[measure] == "minimize" else -1),
        default=None,
    )
    if best:
        config = read_config(directory / Path(best["run_dir"]).name)
        best["command"] = gather.command(config, without=())
    return {
        "best": best,
        "trials": trials,
        "measure": measure,
        "direction": GOALS[measure],
        "directory": str(directory),
    }


def _settings_of(trial):
    return {name: search_space.from_category(value) for name, value in trial.params.items()}


def report(result):
    """The result as lines for people."""
    ordered = sorted(
        (t for t in result["trials"] if t["value"] is not None),
        key=lambda t: t["value"],
        reverse=result["direction"] == "maximize",
    )
    lines = [f"{result['measure']} ({result['direction']}), the best first:"]
    lines += [f"  {t['value']:12.6g}  {_shown(t['settings'])}  {t['run_dir']}" for t in ordered]
    if not result["best"]:
        return "no trial has a score yet; run the same command again to continue"
    return "\n".join(
        [*lines, f"best settings: {result['best']['command']}", _tensorboard(result["directory"])]
    )


def _tensorboard(directory):
    return f"all trials in the HParams tab: tensorboard --logdir {directory}"


def _shown(values):
    return ", ".join(f"{n}={v:.5g}" if isinstance(v, float) else f"{n}={v}" for n, v in values.items())


def _plain(dataset):
    return dataset.strip("/").replace("/", "-").replace(":", "-")


def _say(text):
    print(text, file=sys.stderr, flush=True)
