"""Virtual batch normalisation: statistics of a fixed reference batch, not of the batch at hand."""

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.registry import register


@register
class ReferenceBatch(keras.layers.Layer):
    """Puts a fixed reference batch in front of every batch; `DropReference` takes it away again.

    The reference runs through all layers in between with their current weights, `VirtualBatchNormalization`
    reads it there. It is kept as a variable, saved with the model.

    Args:
        reference: Array `[n, ...]`, given once; None only where saved weights will follow.
        reference_shape: Shape `(n, ...)` where `reference` is None.
        **kwargs: As in `keras.layers.Layer`.

    Raises:
        ValueError: If the layer is called and no reference was given or loaded.

    Example:
        ```python
        reference = tf.random.stateless_normal([64, 10], [1, 2])
        generator = keras.Sequential([
            keras.Input((10,)),
            ReferenceBatch(reference),
            keras.layers.Dense(32),
            VirtualBatchNormalization(64),
            keras.layers.Dense(2),
            DropReference(64),
        ])
        ```

    Reference: [salimans2016]
    """

    def __init__(self, reference=None, *, reference_shape=None, **kwargs):
        super().__init__(**kwargs)
        if reference is None and reference_shape is None:
            checks.fail(
                "`ReferenceBatch` needs a reference batch.",
                "reference=None",
                "Give some rows of the layer's own input, fixed at the start.",
            )
        self._initial = None if reference is None else _floats(reference)
        shape = self._initial.shape if reference_shape is None else reference_shape
        self.reference_shape = tuple(int(size) for size in shape)
        self._check_reference()
        self._given = self._initial is not None

    def _check_reference(self):
        shape = self.reference_shape
        if self._initial is not None:
            checks.finite("reference", self._initial)
            if not self._initial.any():
                checks.fail(
                    "`reference` must tell rows apart.",
                    "a reference of zeros",
                    "Take rows of the layer's own input.",
                )
            if self._initial.shape != shape:
                checks.fail(
                    "`reference_shape` must be that of `reference`.",
                    f"reference_shape={shape}, reference.shape={self._initial.shape}",
                    "Leave reference_shape out.",
                )
        if len(shape) < 2 or shape[0] < 2:
            checks.fail(
                "`reference` must hold at least 2 rows of features, [n, ...].",
                f"reference.shape={shape}",
                "Use 64 rows or more.",
            )

    def build(self, input_shape):
        if tuple(input_shape[1:]) != self.reference_shape[1:]:
            checks.fail(
                "The reference batch must have the shape of the layer's input.",
                f"reference.shape={self.reference_shape}, input_shape={tuple(input_shape)}",
                "Take the reference from the same space as the input.",
            )
        start = keras.initializers.Zeros() if self._initial is None else lambda shape, dtype: self._initial
        self.reference = self.add_weight(
            name="reference", shape=self.reference_shape, dtype="float32", initializer=start, trainable=False
        )

    def call(self, x):
        self._check_given()
        return tf.concat([tf.cast(self.reference, x.dtype), x], axis=0)

    def _check_given(self):
        if not self._given:
            with tf.init_scope():  # weights may have been loaded since
                self._given = bool(tf.reduce_any(self.reference.value != 0.0))
        if not self._given:
            checks.fail(
                "`ReferenceBatch` was made from a config and has no reference yet.",
                f"reference_shape={self.reference_shape}",
                "Load the saved weights, or call set_reference(batch).",
            )

    def set_reference(self, reference):
        """Replaces the reference of a built layer by another array `[n, ...]` of the same shape."""
        if not self.built:
            checks.fail(
                "The layer must be built.", "set_reference before build", "Give `reference` when it is made."
            )
        if checks.shape_of(reference) != self.reference_shape:
            checks.fail(
                f"The reference must have shape {self.reference_shape}.",
                f"reference.shape={checks.shape_of(reference)}",
                "Build the network anew for another size.",
            )
        self.reference.assign(checks.finite("reference", reference))
        self._given = True

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])

    def get_config(self):
        return {**super().get_config(), "reference_shape": self.reference_shape}


@register
class DropReference(keras.layers.Layer):
    """Takes the first `reference_size` rows, those of `ReferenceBatch`, away again.

    Args:
        reference_size: Rows of the reference batch, `n`.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        DropReference(2)(tf.zeros([5, 3]))  # [3, 3]
        ```
    """

    def __init__(self, reference_size, **kwargs):
        super().__init__(**kwargs)
        self.reference_size = checks.positive_int("reference_size", reference_size)

    def call(self, x):
        return x[self.reference_size :]

    def compute_output_spec(self, x):
        _check_size(self, x)
        return super().compute_output_spec(x)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])

    def get_config(self):
        return {**super().get_config(), "reference_size": self.reference_size}


@register
class VirtualBatchNormalization(keras.layers.Layer):
    """Normalises each example by the statistics of the reference batch and of itself.

    Per channel, with (m_R, v_R) of the n reference rows, (m_i, v_i) of example i alone and w = 1 / (n + 1):
    mean = w * m_i + (1 - w) * m_R; variance = w * v_i + (1 - w) * v_R + w * (1 - w) * (m_i - m_R)**2
    y_i = scale * (x_i - mean) / sqrt(variance + epsilon) + offset; the reference itself uses (m_R, v_R)

    An example's output does not depend on the other examples of its batch, in training or out of it.
    Gradients flow through the reference's statistics. The input is `[reference; x]` along axis 0, as
    `ReferenceBatch` makes it.

    Args:
        reference_size: Rows of the reference batch at the front of the input, `n`.
        epsilon: Added to the variance.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        normalize = VirtualBatchNormalization(reference_size=4)
        y = normalize(tf.random.stateless_normal([6, 3], [1, 2]))  # 4 reference rows, 2 examples
        ```

    Reference: [salimans2016]
    """

    def __init__(self, reference_size, *, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.reference_size = checks.positive_int("reference_size", reference_size)
        self.epsilon = checks.positive_number("epsilon", epsilon)

    def build(self, input_shape):
        channels = (input_shape[-1],)
        near_one = keras.initializers.RandomNormal(mean=1.0, stddev=0.02)
        self.scale = self.add_weight(name="scale", shape=channels, initializer=near_one)
        self.offset = self.add_weight(name="offset", shape=channels, initializer="zeros")

    def call(self, x):
        checks.min_rows("x", x, self.reference_size, "The reference", "Put a ReferenceBatch layer before it.")
        inputs = tf.cast(x, tf.float32)
        reference, examples = inputs[: self.reference_size], inputs[self.reference_size :]
        space = list(range(1, x.shape.rank - 1))
        mean, variance = tf.nn.moments(reference, [0, *space], keepdims=True)
        own_mean, own_variance = tf.nn.moments(examples, space, keepdims=True) if space else (examples, 0.0)
        weight = 1.0 / (self.reference_size + 1)
        spread = weight * (1.0 - weight) * tf.square(own_mean - mean)
        examples = self._normalize(
            examples,
            weight * own_mean + (1.0 - weight) * mean,
            weight * own_variance + (1.0 - weight) * variance + spread,
        )
        return tf.cast(tf.concat([self._normalize(reference, mean, variance), examples], 0), x.dtype)

    def compute_output_spec(self, x):
        _check_size(self, x)
        return super().compute_output_spec(x)

    def _normalize(self, x, mean, variance):
        scale, offset = tf.cast(self.scale, tf.float32), tf.cast(self.offset, tf.float32)
        # sqrt and division round alike at every place of a vector, rsqrt does not: a row keeps its bits
        return (x - mean) * (scale / tf.sqrt(variance + self.epsilon)) + offset

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "reference_size": self.reference_size, "epsilon": self.epsilon}


def _floats(reference):
    return np.asarray(checks.tensor("reference", reference)).astype(np.float32)


def _check_size(layer, x):
    """Checks a layer's `reference_size` against the `ReferenceBatch` before it, where a network shows one."""
    found = _reference_before(x, set())
    if found is not None and found.reference_shape[0] != layer.reference_size:
        checks.fail(
            "`reference_size` must be the number of rows of the reference batch before the layer.",
            f"reference_size={layer.reference_size} after a ReferenceBatch of {found.reference_shape[0]} rows",
            "Give all layers between ReferenceBatch and DropReference the same number.",
        )


def _reference_before(x, seen):
    """The `ReferenceBatch` whose rows a symbolic tensor of a functional network still holds, or None."""
    history = getattr(x, "_keras_history", None)
    if history is None or isinstance(history.operation, DropReference) or history in seen:
        return None
    if isinstance(history.operation, ReferenceBatch):
        return history.operation
    seen.add(history)
    before = history.operation._inbound_nodes[history.node_index].input_tensors
    return next((found for found in (_reference_before(tensor, seen) for tensor in before) if found), None)
