"""Checks of what `fit` and `evaluate` are given, and of data and codes against networks and kernels."""

import warnings

import keras
import numpy as np

from tfmmd import checks, kernels, layers

INTERVALS = {keras.activations.sigmoid: (0.0, 1.0), keras.activations.tanh: (-1.0, 1.0)}
PASSING = (  # layers whose output holds their input's values and no others, when they do not train
    *(keras.layers.InputLayer, keras.layers.Identity, keras.layers.Dropout, layers.Dropout),
    *(keras.layers.Reshape, keras.layers.Flatten, keras.layers.Permute, keras.layers.RepeatVector),
    *(keras.layers.Cropping1D, keras.layers.Cropping2D, keras.layers.Cropping3D),
)
WRAPPERS = (layers.WeightNormalization, keras.layers.SpectralNormalization, keras.layers.TimeDistributed)
SLACK = 1e-3  # rounding of images that were resized or stored in half precision
FLAT_SHARE = 0.9  # of pairs without gradient: where a kernel is called saturated


def interval(network):
    """The interval that a network's output lies in, by its last activation.

    None where it is unknown: after other layers and arithmetic, and of models that write their own `call`.
    """
    chain = network.layers if isinstance(network, keras.Sequential) else getattr(network, "operations", [])
    for step in reversed(chain):
        if isinstance(step, keras.Model):
            return interval(step)
        if isinstance(step, WRAPPERS):  # they end with the activation of the layer inside
            step = step.layer
        if not isinstance(step, PASSING):
            return INTERVALS.get(getattr(step, "activation", None))
    return None


def check_range(name, values, bounds, source):
    """Checks that concrete `values` lie in `bounds` (None: anything goes), the range of `source`."""
    complaint = _out_of_range(name, values, bounds, source)
    if complaint:
        checks.fail(*complaint)


def warn_of_range(name, values, bounds, source):
    """As `check_range`, with a warning: a generator may be of use where it cannot give all of the data."""
    complaint = _out_of_range(name, values, bounds, source)
    if complaint:
        warnings.warn(checks.message(*complaint), stacklevel=4)


def _out_of_range(name, values, bounds, source):
    """What is wrong with `values` outside of `bounds`: expected, received and mend, or None."""
    if bounds is None or not len(values):
        return None
    low, high = float(np.min(values)), float(np.max(values))
    if low >= bounds[0] - SLACK and high <= bounds[1] + SLACK:
        return None
    return (
        f"`{name}` must lie in {list(bounds)}, the range of {source}.",
        f"{name} from {low:g} to {high:g}",
        "Rescale the data, or end the network with another activation.",
    )


def check_feedable(x):
    """Checks that `x` is something that `fit` can take batches from."""
    many = hasattr(x, "__iter__") or hasattr(x, "__getitem__")
    plain = isinstance(x, (str, bytes, dict, list, tuple, type))
    if not many or plain or getattr(x, "shape", None) == ():
        checks.fail(
            "`x` must be an array, a dataset or a generator of batches.",
            f"x of {type(x).__name__}",
            "Give samples [n, ...], of a list np.asarray(x).",
        )


def check_unweighted(options):
    """Refuses weights of rows: a discrepancy is one of whole samples."""
    for name in ("sample_weight", "class_weight"):
        if options.get(name) is not None:
            checks.fail(
                "Rows count equally here.", f"a {name}", f"Leave {name} out, or draw rows more often."
            )


def samples_in(element):
    """The samples in an element of a dataset, or its spec: the first of nested tuples."""
    while isinstance(element, (tuple, list)) and len(element):
        element = element[0]
    if isinstance(element, dict):
        checks.fail(
            "A batch must be samples, or a tuple that begins with them.",
            f"a dict of {', '.join(map(repr, element))}",
            "Choose the samples: dataset.map(lambda row: row['image']).",
        )
    return element


def check_array(name, x):
    """Whether `x` is an array or eager tensor, which then has rows, without NaN and inf; datasets are none."""
    if not (hasattr(x, "shape") and hasattr(x, "__len__")):
        return False
    checks.not_empty(name, x)
    checks.finite(name, x)
    return True


def check_no_split(options):
    """Refuses `validation_split` among the options of a `fit` that makes a dataset of its arrays."""
    if options.get("validation_split"):
        checks.fail(
            "`validation_split` is not taken: the rows are dealt out to the players' steps as a dataset.",
            f"validation_split={options['validation_split']!r}",
            "Split the array yourself and give validation_data=held_out.",
        )


def warn_if_flat(kernel, sample, name):
    """Warns when a radial kernel is flat on nearly all pairs of rows of `sample` `[n, d]`: no gradient."""
    if not hasattr(kernel, "of_squared_distance") or len(sample) < 2:
        return
    report = kernels.saturation(kernel, sample)
    if report.flat > FLAT_SHARE:
        warnings.warn(
            checks.message(
                f"`kernel` must change over the distances of {name}.",
                f"kernel={kernel!r}, {report}",
                "Choose bandwidths near tfmmd.kernels.median_bandwidth of the codes.",
            ),
            stacklevel=3,
        )
