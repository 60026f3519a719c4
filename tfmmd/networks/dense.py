"""Fully connected networks, each named after its paper."""

import math

import keras

from tfmmd import checks


def mlp(
    input_shape,
    hidden,
    output_shape,
    *,
    activation="relu",
    output_activation=None,
    initializer=None,
    name=None,
):
    """A plain multilayer perceptron between two shapes.

    Args:
        input_shape: Shape of one input without the batch axis, an int or a tuple.
        hidden: Units of each hidden layer.
        output_shape: Shape of one output, an int or a tuple.
        activation: Activation of the hidden layers, a name or a callable.
        output_activation: Activation of the last layer; its result is float32 under every precision policy.
        initializer: Function without arguments that returns a new kernel initializer; None is Glorot uniform.
        name: Name of the model.

    Returns:
        A built `keras.Model`, `[b, *input_shape]` -> `[b, *output_shape]`.
    """
    input_shape = checks.shape("input_shape", input_shape)
    output_shape = checks.shape("output_shape", output_shape)
    make = initializer or keras.initializers.GlorotUniform
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs) if len(input_shape) > 1 else inputs
    for units in checks.positive_ints("hidden", hidden):
        x = keras.layers.Dense(units, activation, kernel_initializer=make())(x)
    size = math.prod(output_shape)
    x = keras.layers.Dense(size, output_activation, kernel_initializer=make(), dtype="float32")(x)
    if len(output_shape) > 1:
        x = keras.layers.Reshape(output_shape, dtype="float32")(x)
    return keras.Model(inputs, x, name=name)


def fan_in_normal():
    """N(0, 1 / fan_in), the initial weights of GMMN."""
    return keras.initializers.VarianceScaling(1.0, mode="fan_in", distribution="untruncated_normal")


def gmmn_generator(latent_size=10, output_shape=(28, 28, 1), *, hidden=(64, 256, 256, 1024)):
    """The generator of GMMN: four ReLU layers and a sigmoid output.

    Args:
        latent_size: Size of the noise, `k`.
        output_shape: Shape of one sample, an int for codes or flat data.
        hidden: Units of the hidden layers.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *output_shape]` in (0, 1).

    Reference: [li2015]
    """
    return mlp(
        latent_size,
        hidden,
        output_shape,
        output_activation="sigmoid",
        initializer=fan_in_normal,
        name="generator",
    )


def as_shape(shape):
    """An int or a tuple as a tuple."""
    return checks.shape("shape", shape)
