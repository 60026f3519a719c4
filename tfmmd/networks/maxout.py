"""The fully connected networks of the original GAN."""

import math

import keras
import numpy as np

from tfmmd import checks, layers
from tfmmd.networks.dense import as_shape

MARGIN = 1e-3  # of a mean pixel's distance to 0 and 1, ours; the source has 1e-7 and biases near -16


def maxout_gan_generator(latent_size=100, output_shape=(28, 28, 1), *, hidden=(1200, 1200), mean_sample=None):
    """The generator of the original GAN: ReLU layers and a sigmoid output.

    Args:
        latent_size: Size of the noise, `k`.
        output_shape: Shape of one sample, an int or a tuple.
        hidden: Units of the hidden layers.
        mean_sample: Mean of the data in [0, 1], of `output_shape`: the output's biases start at its
            logits.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *output_shape]` in (0, 1).

    Reference: [goodfellow2014]
    """
    output_shape = as_shape(output_shape)
    x = inputs = keras.Input((latent_size,))
    for units in hidden:
        x = keras.layers.Dense(units, "relu", kernel_initializer=_uniform(0.05))(x)
    last = keras.layers.Dense(
        math.prod(output_shape), "sigmoid", kernel_initializer=_uniform(0.05), dtype="float32"
    )
    x = keras.layers.Reshape(output_shape, dtype="float32")(last(x))
    if mean_sample is not None:
        mean = np.clip(np.ravel(mean_sample), MARGIN, 1 - MARGIN)
        last.bias.assign(np.log(mean / (1 - mean)))
    return keras.Model(inputs, x, name="generator")


def maxout_gan_critic(
    input_shape=(28, 28, 1),
    *,
    units=240,
    pieces=5,
    num_layers=2,
    pixel_dropout=0.2,
    hidden_dropout=0.5,
    seed=0,
):
    """The critic of the original GAN: maxout layers with dropout before each layer, and a logit.

    Args:
        input_shape: Shape of one sample, an int or a tuple.
        units: Units of a maxout layer.
        pieces: Linear pieces of a unit.
        num_layers: Number of maxout layers.
        pixel_dropout: Share of pixels, in [0, 1), that are zero in a training step; 0.2 in the official code.
        hidden_dropout: The same of the units of each maxout layer; 0.5 in the official code.
        seed: Seed of the dropout.

    Returns:
        `keras.Model`, `[b, *input_shape]` -> logits `[b, 1]`.

    Raises:
        ValueError: If a dropout lies outside [0, 1).

    Reference: [goodfellow2014]
    """
    pixel_dropout = checks.dropout_rate("pixel_dropout", pixel_dropout)
    hidden_dropout = checks.dropout_rate("hidden_dropout", hidden_dropout)
    inputs = keras.Input(as_shape(input_shape))
    x = keras.layers.Flatten()(inputs)
    for layer in range(num_layers):
        x = layers.Dropout(hidden_dropout if layer else pixel_dropout, seed=seed + layer)(x)
        x = layers.Maxout(units, pieces, kernel_initializer=_uniform(0.005))(x)
    x = layers.Dropout(hidden_dropout, seed=seed + num_layers)(x)
    x = keras.layers.Dense(1, kernel_initializer=_uniform(0.005), dtype="float32")(x)
    return keras.Model(inputs, x, name="critic")


def _uniform(limit):
    return keras.initializers.RandomUniform(-limit, limit)
