"""What a recipe is: numbers with their source, and how to make a model and its optimizers from them."""

import dataclasses
import json
from collections.abc import Callable, Mapping

from tfmmd import checks

COMMON = {
    "split": "train",
    "value_range": (0.0, 1.0),
    "binarize": None,
    "image_size": None,
    "batch_size": 100,
    "steps": 10_000,  # optimizer steps of the generator (one player: of the model)
    "report_every": 500,  # steps between two reports: losses, TensorBoard, pictures
    "checkpoint_every": 1_000,
    "num_samples": 10_000,  # scored at the end
    "features": None,  # .keras file of the extractor; None is that of `trainers run lenet` on the dataset
}


class Settings(Mapping):
    """Resolved settings of a run: a read-only mapping with attribute access, JSON values only."""

    def __init__(self, values):
        self._values = dict(values)

    def __getitem__(self, name):
        return self._values[name]

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"No setting {name!r}. Settings: {sorted(self._values)}.") from None

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __repr__(self):
        return f"Settings({self._values!r})"


def _no_callbacks(settings, data):
    return []


def _one_batch(settings):
    return settings.batch_size


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a system is trained on a dataset.

    Settings are looked up from the general to the special: `COMMON`, `settings`, `datasets[dataset]`,
    `presets[preset]`, `special[dataset, preset]`, then the command line.

    Args:
        system: Name on the command line.
        title: One line for `trainers list`.
        reference: Key in docs/references.bib.
        build: Function (settings, data) -> model, run inside the strategy's scope. `data` is a
            `trainers.run_data.RunData`: `.sample_shape`, `.train` `[n, ...]`, `.seed`.
        compile: Function (model, settings) that compiles the model, run inside the strategy's scope.
        settings: Defaults, each number with its source beside it.
        presets: Preset name -> settings that differ.
        datasets: Dataset name -> settings that differ.
        special: (dataset, preset) -> settings that differ.
        prepare: Function (model, settings, data) run once before training (pretraining, reference batches).
        callbacks: Function (settings, data) -> list of Keras callbacks beside the runner's own.
        rows_per_step: Function settings -> rows of data that one `train_step` takes.
        batches: Function (data, settings, start_step) -> dataset, where a step takes more than rows of x.
        measures: Names in `trainers.evaluate.MEASURES` that apply to a run.
        tunable: Setting name -> (low, high, "log" | "linear") for `trainers tune`.
    """

    system: str
    title: str
    reference: str
    build: Callable
    compile: Callable
    settings: dict
    presets: dict
    datasets: dict = dataclasses.field(default_factory=dict)
    special: dict = dataclasses.field(default_factory=dict)
    prepare: Callable | None = None
    callbacks: Callable = _no_callbacks
    rows_per_step: Callable = _one_batch
    batches: Callable | None = None
    measures: tuple = ("parzen",)
    tunable: dict = dataclasses.field(default_factory=dict)

    def resolve(self, dataset, preset, overrides=None):
        """The settings of a run.

        Args:
            dataset: Dataset name; its own settings apply where the recipe has some.
            preset: Name of a preset.
            overrides: Settings by name that win over all; unknown names are refused.

        Returns:
            `Settings`.
        """
        checks.one_of("preset", preset, self.presets)
        layers = [
            COMMON,
            self.settings,
            self.datasets.get(dataset, {}),
            self.presets[preset],
            self.special.get((dataset, preset), {}),
        ]
        values = {name: value for layer in layers for name, value in layer.items()}
        for name in overrides or {}:
            checks.one_of("setting", name, sorted(values))
        return Settings({**values, **(overrides or {})})


def parse_overrides(pairs):
    """`["lr=0.1", "name=x"]` -> `{"lr": 0.1, "name": "x"}`: values are JSON, or else plain text."""
    overrides = {}
    for text in pairs:
        name, equals, value = text.partition("=")
        if not equals or not name:
            checks.fail(
                "`--set` takes key=value.", f"--set {text}", "Write for example --set batch_size=500."
            )
        try:
            overrides[name] = json.loads(value)
        except json.JSONDecodeError:
            overrides[name] = value
    return overrides
