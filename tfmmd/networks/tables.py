"""Networks whose outputs are rows of a table."""

import keras
import numpy as np

from tfmmd import checks
from tfmmd.networks.dense import fan_in_normal, mlp


def table_generator(latent_size, x, *, hidden=(64, 256, 256)):
    """A generator of table rows: ReLU layers, then each column's own mean and spread.

    The last layer starts every column at the right scale, so that columns of any units learn equally fast.

    Args:
        latent_size: Size of the noise, `k`.
        x: Training rows `[n, d]` that mean and standard deviation come from.
        hidden: Units of the hidden layers.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, d]` in the units of `x`.
    """
    rows = checks.rank("x", np.asarray(x, np.float64), 2)
    checks.not_empty("x", rows)
    net = mlp(latent_size, hidden, rows.shape[1], initializer=fan_in_normal)
    mean, spread = rows.mean(axis=0).tolist(), rows.std(axis=0).tolist()
    outputs = keras.layers.Rescaling(spread, mean, dtype="float32")(net.output)
    return keras.Model(net.input, outputs, name="generator")
