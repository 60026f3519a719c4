"""What a recipe is: numbers with their source, and how to make a model and its optimizers from them."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping

from tfmmd import checks, data

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

PYTHON_WORDS = {"True": True, "False": False, "None": None}


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
    `presets[preset]`, `special[dataset, preset]`, then the command line. For a folder of images or a table
    "folder" or "table" stands in for the dataset's name.

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
        prepare: Function (model, settings, data, phases) run once before training (pretraining, reference batches).
            `phases` is a `trainers.phases.Phases`.
        callbacks: Function (settings, data) -> list of Keras callbacks beside the runner's own.
        rows_per_step: Function settings -> rows of data that one `train_step` takes.
        batches: Function (data, settings, start_step) -> dataset, where a step takes more than rows of x.
        measures: Names in `trainers.evaluate.MEASURES` that apply to a run.
        tunable: Setting name -> (low, high, "log" | "linear") for `trainers tune`.
        tables: Whether the system also trains on rows of a table.
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
    tables: bool = False

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
        kind = data.kind(dataset)
        self._check_kind(dataset, kind)
        key = dataset if kind == "name" else kind
        layers = [
            COMMON,
            self.settings,
            self.datasets.get(key, {}),
            self.presets[preset],
            self.special.get((key, preset), {}),
        ]
        values = {name: value for layer in layers for name, value in layer.items()}
        for name, value in (overrides or {}).items():
            checks.one_of("setting", name, sorted(values))
            _check_value(name, value, values[name])
        return Settings({**values, **(overrides or {})})

    def _check_kind(self, dataset, kind):
        if kind == "table" and not self.tables:
            checks.fail(
                f"{self.system} trains on images, not on tables.",
                f"dataset={dataset!r}",
                "Use gmmn for a table, or write your own model (docs/your-own-data.md).",
            )


def _check_value(name, value, default):
    """A text cannot stand for a number, and a switch alone is on or off."""
    switch = isinstance(default, bool)
    wrong_text = isinstance(value, str) and isinstance(default, int | float)
    if wrong_text or default is not None and isinstance(value, bool) != switch:
        expected = "true or false" if switch else f"a value such as its {json.dumps(default)} here"
        checks.fail(
            f"`{name}` must be {expected}.", f"{name}={value!r}", f"Write --set {name}=VALUE in JSON."
        )


def parse_overrides(pairs):
    """`["lr=0.1", "name=x"]` -> `{"lr": 0.1, "name": "x"}`.

    Values are JSON, Python's True, False and None, lists of words, or plain text.
    """
    overrides = {}
    for text in pairs:
        name, equals, value = text.partition("=")
        if not equals or not name:
            checks.fail(
                "`--set` takes key=value.", f"--set {text}", "Write for example --set batch_size=500."
            )
        try:
            overrides[name] = PYTHON_WORDS[value] if value in PYTHON_WORDS else json.loads(value)
        except json.JSONDecodeError:
            words = re.fullmatch(r"\[([\w-]+(?:\s*,\s*[\w-]+)*)\]", value)
            overrides[name] = re.split(r"\s*,\s*", words[1]) if words else value
    return overrides
