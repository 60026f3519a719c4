"""Bad inputs for any callable: valid arguments, of which one or two are changed for the worse."""

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

DOCUMENTED = (ValueError, TypeError)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A public callable and arguments that it takes.

    Args:
        name: Name in reports.
        call: Function of the arguments by name.
        arguments: Valid arguments by name; these are what is spoilt.
        cases: How many bad inputs are tried.
    """

    name: str
    call: Callable
    arguments: dict
    cases: int = 30


def wrong_width(x):
    return np.concatenate([x, x[..., :1]], axis=-1)


def at_one_place(value):
    def spoilt(x):
        x = np.array(x, np.float32)
        x.flat[x.size // 2] = value
        return x

    return spoilt


ARRAYS = {  # what can be wrong with an array
    "rank too low": lambda x: x[0],
    "rank too high": lambda x: x[None],
    "scalar": lambda x: x.flat[0],
    "wrong width": wrong_width,
    "no features": lambda x: x[..., :0],
    "no rows": lambda x: x[:0],
    "one row": lambda x: x[:1],
    "NaN": at_one_place(np.nan),
    "inf": at_one_place(np.inf),
    "negative": lambda x: -x,
    "huge": lambda x: x * np.float32(1e38),
    "tiny": lambda x: x * np.float32(1e-38),
    "constant": np.zeros_like,
    "int": lambda x: x.astype(np.int32),
    "bool": lambda x: x > 0.5,
    "complex": lambda x: x.astype(np.complex64),
    "float16": lambda x: x.astype(np.float16),
    "float64": lambda x: x.astype(np.float64),
    "text": lambda x: x.astype(str),
    "objects": lambda x: x.astype(object),
    "list": lambda x: x.tolist(),
    "ragged list": lambda x: [[1.0, 2.0], [3.0]],
    "ragged tensor": lambda x: tf.ragged.constant([[1.0, 2.0], [3.0]]),
    "sparse tensor": lambda x: tf.sparse.from_dense(np.ones((3, 2), np.float32)),
    "dataset": lambda x: tf.data.Dataset.from_tensors(x),
}
NUMBERS = {
    "zero": lambda x: 0,
    "minus": lambda x: -1,
    "fraction": lambda x: 0.37,
    "NaN": lambda x: float("nan"),
    "inf": lambda x: float("inf"),
    "too large": lambda x: 2**63,
    "far too large": lambda x: 10**400,
    "huge": lambda x: 1e300,
    "bool": lambda x: True,
    "complex": lambda x: 1j,
    "digits": lambda x: "3",
    "list": lambda x: [x, x],
    "array": lambda x: np.full((2, 2), 3),
}
NAMES = {
    "unknown": lambda x: "no-such-name",
    "nearly": lambda x: x[:-1],
    "empty": lambda x: "",
    "upper case": lambda x: x.upper(),
    "number": lambda x: 3,
    "list": lambda x: [x],
    "bytes": lambda x: x.encode(),
}
ANY = {
    "None": lambda x: None,
    "text": lambda x: "text",
    "object": lambda x: object(),
    "empty list": lambda x: [],
    "dict": lambda x: {"a": 1},
    "function": lambda x: len,
    "class": lambda x: int,
    "number": lambda x: 3.5,
}
SEQUENCES = {
    "empty": lambda x: type(x)(),
    "longer": lambda x: type(x)([*x, *x]),
    "shorter": lambda x: type(x)(x[:1]),
    "reversed": lambda x: type(x)(reversed(x)),
    "negative": lambda x: type(x)(-1 for _ in x),
    "with NaN": lambda x: type(x)([float("nan"), *x[1:]]),
    "with text": lambda x: type(x)(["a", *x[1:]]),
    "huge": lambda x: type(x)(1e300 for _ in x),
    "one number": lambda x: 3,
}


def kinds_for(value):
    """Names and functions of the changes that make sense for a valid value."""
    special = {}
    if isinstance(value, np.ndarray):
        special = ARRAYS
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        special = NUMBERS
    elif isinstance(value, str):
        special = NAMES
    elif isinstance(value, (tuple, list)):
        special = SEQUENCES
    return {**{f"any: {name}": change for name, change in ANY.items()}, **special}


def changes(entry):
    """Strategy of changes to an entry's arguments: a dict of argument name to kind of change."""
    return st.lists(st.sampled_from(sorted(entry.arguments)), min_size=1, max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries(
            {name: st.sampled_from(sorted(kinds_for(entry.arguments[name]))) for name in names}
        )
    )


def spoilt(entry, change):
    """The entry's arguments after a change; a kind that an array cannot undergo leaves it as it is."""
    arguments = dict(entry.arguments)
    for name, kind in change.items():
        arguments[name] = kinds_for(arguments[name])[kind](arguments[name])
    return arguments


def complaint(entry, change):
    """What is wrong with how an entry takes a bad input: None when it returns, or says what is wrong."""
    arguments = spoilt(entry, change)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            entry.call(**arguments)
    except DOCUMENTED as error:
        if "Received:" not in str(error):
            return f"{type(error).__name__} without the three sentences: {str(error)[:300]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return None
