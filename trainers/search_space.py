"""What `--set` says of a search: fixed values, choices and ranges."""

import dataclasses
import json
import re

import numpy as np

from tfmmd import checks

SCALES = ("linear", "log")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"^({_NUMBER})\.\.({_NUMBER})((?::\w+)*)$")


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`.

    Args:
        low: Lowest value.
        high: Highest value.
        scale: "linear" or "log".
        num: Values of a grid; None leaves the range to Bayesian optimisation.
        whole: Whether the setting is a whole number.
    """

    low: float
    high: float
    scale: str = "linear"
    num: int | None = None
    whole: bool = False

    def suggest(self, trial, name):
        """A value of an Optuna trial."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.scale == "log")
        return trial.suggest_float(name, float(self.low), float(self.high), log=self.scale == "log")

    def grid(self, name):
        """`num` values, both ends included."""
        if self.num is None:
            checks.fail(
                "A range in a grid says how many values it stands for.",
                f"--set {name}={self.low:g}..{self.high:g}",
                f"Write for example {name}={self.low:g}..{self.high:g}:{self.scale}:5, or list the values.",
            )
        space = np.geomspace if self.scale == "log" else np.linspace
        values = space(self.low, self.high, self.num)
        return sorted({int(round(v)) for v in values}) if self.whole else [float(f"{v:.6g}") for v in values]


@dataclasses.dataclass(frozen=True)
class Choices:
    """Some values, as JSON texts where they are not numbers, truth values or strings."""

    values: tuple

    def suggest(self, trial, name):
        """A value of an Optuna trial."""
        return from_category(trial.suggest_categorical(name, self.grid(name)))

    def grid(self, name):
        """All values, as Optuna stores them."""
        return [_to_category(value) for value in self.values]


def split_overrides(overrides, current):
    """Splits the values of `--set` into fixed ones and those to search over.

    A text "low..high", with ":log" and a number of values after it, is a range. A list is a set of choices;
    for a setting that is a list itself it must be a list of lists, since a plain list is one fixed value.

    Args:
        overrides: Dict from a setting to its value, as `recipe.parse_overrides` gives it.
        current: The settings without them, which tell lists and whole numbers.

    Returns:
        (fixed, space): a dict of values and a dict of `Range` and `Choices`.
    """
    fixed, space = {}, {}
    for name, value in overrides.items():
        old = current.get(name)
        is_choice = isinstance(value, list) and (
            not isinstance(old, (list, tuple)) or (value and all(isinstance(v, list) for v in value))
        )
        match = _RANGE.match(value) if isinstance(value, str) else None
        if match:
            space[name] = _range(name, value, match, old)
        elif is_choice:
            if not value:
                checks.fail(f"`{name}` needs something to choose from.", f"{name}=[]", "List its values.")
            space[name] = Choices(tuple(value))
        else:
            fixed[name] = value
    return fixed, space


def of_recipe(tunable, current, fixed):
    """The search space that a recipe's `tunable` names, without what is fixed."""
    return {
        name: make_range(name, low, high, scale, None, current.get(name))
        for name, (low, high, scale) in tunable.items()
        if name not in fixed
    }


def make_range(name, low, high, scale, num, old):
    """A checked `Range`, of whole numbers where the setting is one."""
    if not low < high or (scale == "log" and low <= 0):
        checks.fail(
            "A range goes from a low to a higher number, on a log scale above zero.",
            f"{name}={low:g}..{high:g}, {scale}",
            "Write for example 1e-4..1e-2:log.",
        )
    whole = isinstance(old, int) and not isinstance(old, bool) and low == int(low) and high == int(high)
    return Range(low, high, checks.one_of("scale", scale, SCALES), num, whole)


def _range(name, text, match, old):
    scale, num = "linear", None
    for word in filter(None, match[3].split(":")):
        if word.isdigit():
            num = checks.positive_int(f"number of values of {text}", int(word))
        else:
            scale = checks.one_of("scale", word, SCALES)
    return make_range(name, float(match[1]), float(match[2]), scale, num, old)


def _to_category(value):
    return (
        value if value is None or isinstance(value, (bool, int, float, str)) else "json:" + json.dumps(value)
    )


def from_category(value):
    """The value of a choice from what Optuna stores."""
    return json.loads(value[5:]) if isinstance(value, str) and value.startswith("json:") else value
