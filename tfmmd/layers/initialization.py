"""Data-dependent initialisation: scales and biases set from one batch, by one explicit call."""

import contextlib
import threading

from tfmmd import checks

_STATE = threading.local()


def initializing():
    """Whether a layer is being called to set its scales and biases from the batch at hand."""
    return getattr(_STATE, "active", False)


@contextlib.contextmanager
def _active():
    _STATE.active = True
    try:
        yield
    finally:
        _STATE.active = False


def initialize(network, x, *, training=True):
    """Sets the scales and biases of a network's layers from one batch, layer by layer in one forward pass.

    It concerns `WeightNormalization` and `MinibatchDiscrimination`; other layers only pass the batch on. Call
    it eagerly, once, before training; the published size is 500 rows.

    Args:
        network: A built Keras model or layer.
        x: Batch `[b, ...]` of at least 2 rows.
        training: Whether noise layers are on.

    Returns:
        The network's output `[b, ...]` under the new values.

    Example:
        ```python
        critic = keras.Sequential([keras.Input((2,)), WeightNormalization(keras.layers.Dense(3))])
        initialize(critic, tf.random.stateless_normal([500, 2], [1, 2]))
        ```

    Reference: [salimans2016weight]
    """
    checks.finite("x", x)
    checks.min_rows("x", x, 2, "Data-dependent initialisation", "Use a batch of some hundred rows.")
    with _active():
        return network(x, training=training)
