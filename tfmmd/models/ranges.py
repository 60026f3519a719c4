"""Checks of values that a network must be able to give: the interval of its last activation."""

import keras
import numpy as np

from tfmmd import checks

INTERVALS = {keras.activations.sigmoid: (0.0, 1.0), keras.activations.tanh: (-1.0, 1.0)}
SLACK = 1e-3  # rounding of images that were resized or stored in half precision


def interval(network):
    """The interval that a network's output lies in, by its last activation; None where it is unknown."""
    for layer in reversed(getattr(network, "layers", [])):
        if isinstance(layer, keras.Model):
            return interval(layer)
        if isinstance(layer, keras.layers.Activation) or layer.weights:
            return INTERVALS.get(getattr(layer, "activation", None))
    return None


def check(name, values, bounds, source):
    """Checks that concrete `values` lie in `bounds` (None: anything goes), the range of `source`."""
    if bounds is None or not len(values):
        return
    low, high = float(np.min(values)), float(np.max(values))
    if low < bounds[0] - SLACK or high > bounds[1] + SLACK:
        checks.fail(
            f"`{name}` must lie in {list(bounds)}, the range of {source}.",
            f"{name} from {low:g} to {high:g}",
            "Rescale the data, or end the network with another activation.",
        )
