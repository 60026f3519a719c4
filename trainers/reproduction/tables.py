"""What a table of the book is: rows of runs, columns of scores, and what the papers print."""

import dataclasses
import fnmatch
import hashlib
import json
from collections.abc import Callable

from trainers import gather, systems

PRESETS = ("quick", "paper")
IDLE = ("measures", "report_every", "checkpoint_every", *gather.WHERE)  # settings that change no number


@dataclasses.dataclass(frozen=True)
class Column:
    """A score of a run.

    Args:
        title: Head of the column, with its unit.
        score: Path in a run's scores; a last `*` of a name stands for any end.
        digits: Digits after the point.
        higher: Whether more is better.
    """

    title: str
    score: tuple
    digits: int = 1
    higher: bool = True


@dataclasses.dataclass(frozen=True)
class Row:
    """One system of a table.

    Args:
        label: First column.
        system: Name on the command line.
        quick: Recipe preset and overrides of the quick table; None leaves the row out of it.
        paper: The same of the paper table; None takes those of `quick`.
        published: What the paper prints, by dataset.
        target: What the first column must reach (higher or lower is better as the column says), by dataset.
        ensemble: Whether the seeds are members that vote, not repetitions.
        varies: What differs from one repetition to the next: "seed", all that is random, or a setting that is a seed.
        datasets: The datasets it is for; empty means all of the table's.
    """

    label: str
    system: str
    quick: tuple | None
    paper: tuple | None = None
    published: dict = dataclasses.field(default_factory=dict)
    target: dict = dataclasses.field(default_factory=dict)
    ensemble: bool = False
    varies: str = "seed"
    datasets: tuple = ()

    def recipe(self, preset):
        """Recipe preset and overrides of this row in a table's preset."""
        return self.quick if preset == "quick" or self.paper is None else self.paper


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the book.

    Args:
        name: Name on the command line.
        title: Heading on the page.
        columns: `Column`s; the first one carries the targets.
        rows: `Row`s.
        datasets: Names of datasets it can be run on, the first by default.
        measures: Names in `trainers.evaluate.MEASURES`.
        experiment: Function (rows, preset, dataset, folder of results) -> JSON mapping, for what no run's scores hold.
    """

    name: str
    title: str
    columns: tuple = ()
    rows: tuple = ()
    datasets: tuple = ("mnist",)
    measures: tuple = ()
    experiment: Callable | None = None

    def rows_for(self, dataset, preset="paper"):
        """The rows that are run on a dataset with a preset of the table."""
        rows = [row for row in self.rows if not row.datasets or dataset in row.datasets]
        return [row for row in rows if preset != "quick" or row.quick is not None]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run of a row: what `trainers run` is told."""

    table: str
    label: str
    system: str
    dataset: str
    preset: str
    overrides: tuple
    seed: int
    measures: tuple

    @property
    def name(self):
        """What people call it: its row, and the seeds that tell it from the others of the row."""
        seeds = [("seed", self.seed), *(item for item in self.overrides if item[0].endswith("_seed"))]
        return ", ".join([self.label, *(f"{name} {value}" for name, value in seeds)])

    @property
    def training(self):
        """The settings that its numbers depend on, as JSON gives them back."""
        settings = systems.recipe(self.system).resolve(self.dataset, self.preset, dict(self.overrides))
        return {name: gather.plain(value) for name, value in settings.items() if name not in IDLE}

    @property
    def folder(self):
        """Name of the run folder, the same for equal runs in different tables, another one once a preset changes."""
        told = json.dumps([self.system, self.dataset, self.preset, self.seed, self.training], sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        return f"{self.system}-{self.dataset.replace('/', '-')}-{self.preset}-seed{self.seed}-{digest}"


def cells(table, preset, dataset, num_seeds):
    """The runs of a table, seed by seed, so that every row has its first before any has its second."""
    return [
        _cell(table, row, dataset, preset, number)
        for number in range(num_seeds)
        for row in table.rows_for(dataset, preset)
    ]


def _cell(table, row, dataset, preset, number):
    """A row's repetition of a number."""
    recipe_preset, settings = row.recipe(preset)
    seed = number if row.varies == "seed" else 0
    if row.varies != "seed":
        settings = {**settings, row.varies: number}
    told = _overrides(settings, seed)
    return Cell(table.name, row.label, row.system, dataset, recipe_preset, told, seed, table.measures)


def _overrides(settings, seed):
    """The settings of a seed's run, sorted: the labels of its own seed are the default, and so the run is the same."""
    return tuple(item for item in sorted(settings.items()) if item != ("label_seed", seed))


def value_at(scores, path):
    """The entry of nested `scores` at `path`, or None; a `*` in a name stands for any characters."""
    for name in path:
        if not isinstance(scores, dict):
            return None
        if "*" in name:
            name = next(iter(fnmatch.filter(scores, name)), name)
        scores = scores.get(name)
    return scores
