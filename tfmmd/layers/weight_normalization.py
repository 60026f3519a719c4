"""Weight normalisation with data-dependent initialisation."""

import keras
import tensorflow as tf

from tfmmd import checks
from tfmmd.layers.initialization import initializing
from tfmmd.registry import register

_TINY = 1e-8  # a dead unit has deviation 0 on the initial batch


@register
class WeightNormalization(keras.layers.Wrapper):
    """Separates the length of each output's weights from their direction.

    y = activation((x W) * scale / ||W|| + bias), the norm over all inputs of one output

    The wrapped layer's kernel is used as it is and each output is scaled afterwards: one matrix product or
    convolution, no second kernel. `tfmmd.layers.initialize(network, x)` sets `scale` and `bias` so that every
    output has mean 0 and deviation `init_stddev` on the batch `x`.

    Args:
        layer: A `Dense`, `Conv1D`, `Conv2D`, `Conv3D`, or `Conv2DTranspose` layer, channels last.
        trainable_scale: Whether `scale` is learned.
        init_stddev: Deviation of the outputs after data-dependent initialisation; None leaves the layer out.
        epsilon: Added to the squared norm.
        **kwargs: As in `keras.layers.Wrapper`.

    Example:
        ```python
        inputs = keras.Input((4,))
        outputs = WeightNormalization(keras.layers.Dense(3, "relu"))(inputs)
        network = keras.Model(inputs, outputs)
        ```

    Reference: [salimans2016weight]
    """

    def __init__(self, layer, *, trainable_scale=True, init_stddev=1.0, epsilon=1e-12, **kwargs):
        super().__init__(_checked(layer), **kwargs)
        self.trainable_scale = bool(trainable_scale)
        self.init_stddev = None if init_stddev is None else checks.positive_number("init_stddev", init_stddev)
        self.epsilon = checks.non_negative("epsilon", epsilon)

    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(
            name="scale",
            shape=(self.layer.kernel.shape[_output_axis(self.layer)],),
            initializer="ones",
            trainable=self.trainable_scale,
        )

    def call(self, x):
        kernel = tf.convert_to_tensor(self.layer.kernel)
        linear, norm = tf.cast(_linear(self.layer, x, kernel), tf.float32), self._norm(kernel)
        if self.init_stddev and initializing():
            self._set_from(linear / norm)
        y = linear * (tf.cast(self.scale, tf.float32) / norm)
        if self.layer.use_bias:
            y += tf.cast(self.layer.bias, tf.float32)
        return tf.cast(self.layer.activation(y), self.compute_dtype)

    def _norm(self, kernel):
        axis = _output_axis(self.layer) % kernel.shape.rank
        others = [i for i in range(kernel.shape.rank) if i != axis]
        return tf.sqrt(tf.reduce_sum(tf.square(tf.cast(kernel, tf.float32)), others) + self.epsilon)

    def _set_from(self, raw):
        axes = list(range(raw.shape.rank - 1))
        mean, variance = tf.nn.moments(raw * self.scale, axes)
        factor = self.init_stddev / (tf.sqrt(variance) + _TINY)
        self.scale.assign(self.scale * factor)
        if self.layer.use_bias:
            self.layer.bias.assign(-mean * factor)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        names = ("trainable_scale", "init_stddev", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _dense(layer, x, kernel):
    return tf.tensordot(x, kernel, 1) if x.shape.rank != 2 else tf.matmul(x, kernel)


def _convolution(layer, x, kernel):
    return layer.convolution_op(x, kernel)


def _transposed(layer, x, kernel):
    return keras.ops.conv_transpose(
        x, kernel, layer.strides, layer.padding, layer.output_padding, layer.data_format, layer.dilation_rate
    )


_LINEAR = {  # layer class -> (its linear part, the kernel's axis of outputs)
    keras.layers.Dense: (_dense, -1),
    keras.layers.Conv1D: (_convolution, -1),
    keras.layers.Conv2D: (_convolution, -1),
    keras.layers.Conv3D: (_convolution, -1),
    keras.layers.Conv2DTranspose: (_transposed, -2),
}


def _checked(layer):
    names = [cls.__name__ for cls in _LINEAR]
    if type(layer) not in _LINEAR:
        checks.fail(f"`layer` must be one of {names}.", f"layer={layer!r}", "Wrap such a layer.")
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        checks.fail(
            "`layer` must hold its channels last.",
            f"layer.data_format={layer.data_format!r}",
            "Use data_format='channels_last'.",
        )
    return layer


def _linear(layer, x, kernel):
    return _LINEAR[type(layer)][0](layer, x, kernel)


def _output_axis(layer):
    return _LINEAR[type(layer)][1]
