"""Convolutional encoder and decoder of the Wasserstein auto-encoder, for images of 28, 32 or 64 pixels."""

import keras

from tfmmd import checks
from tfmmd.networks.dense_autoencoders import batch_norm

INITIAL_DEVIATION = 0.0099999  # tolstikhin/wae configs.py
SIDES = (28, 32, 64)


def wae_encoder(image_shape=(28, 28, 1), num_outputs=8, *, filters=(128, 256, 512, 1024), kernel_size=4):
    """The encoder of WAE: strided convolutions with batch normalisation and ReLU, then a linear code.

    Args:
        image_shape: (side, side, channels), side 28, 32 or 64.
        num_outputs: Outputs: the code size `k`, or `2 * k` for a Gaussian posterior.
        filters: Filters of each stride-2 convolution; the paper's numbers by default.
        kernel_size: 4 for MNIST, 5 for CelebA in the paper.

    Returns:
        `keras.Model`, `[b, *image_shape]` -> `[b, num_outputs]`.

    Reference: [tolstikhin2018]
    """
    check_side(image_shape)
    inputs = x = keras.Input(image_shape)
    for count in filters:
        x = convolution(keras.layers.Conv2D, count, kernel_size, strides=2)(x)
        x = keras.layers.ReLU()(batch_norm()(x))
    x = keras.layers.Dense(num_outputs, kernel_initializer=normal(), dtype="float32")(
        keras.layers.Flatten()(x)
    )
    return keras.Model(inputs, x, name="encoder")


def wae_decoder(
    latent_size=8,
    image_shape=(28, 28, 1),
    *,
    filters=(1024, 512, 256),
    kernel_size=4,
    output_activation="sigmoid",
):
    """The decoder of WAE: a dense layer, strided transposed convolutions, and one of stride 1.

    Args:
        latent_size: Size of a code, `k`.
        image_shape: (side, side, channels); the side must be a multiple of 2 to the number of strided layers.
        filters: Channels of the first map, then of each doubling of the side: (1024, 512, 256) for MNIST,
            (1024, 512, 256, 128) for CelebA in the paper.
        kernel_size: 4 for MNIST, 5 for CelebA in the paper.
        output_activation: `"sigmoid"` for data in [0, 1], `"tanh"` for [-1, 1], None for logits.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *image_shape]`.

    Reference: [tolstikhin2018]
    """
    first, *others = filters
    side, rest = divmod(check_side(image_shape), 2 ** len(others))
    if rest:
        checks.fail(
            f"{len(others)} doublings need a side that is a multiple of {2 ** len(others)}.",
            f"image_shape={image_shape}, filters={filters}",
            "Use fewer filters.",
        )
    inputs = keras.Input((latent_size,))
    x = keras.layers.Dense(side * side * first, "relu", kernel_initializer=normal())(inputs)
    x = keras.layers.Reshape((side, side, first))(x)
    for count in others:
        x = convolution(keras.layers.Conv2DTranspose, count, kernel_size, strides=2)(x)
        x = keras.layers.ReLU()(batch_norm()(x))
    x = convolution(keras.layers.Conv2DTranspose, image_shape[-1], kernel_size, strides=1)(x)
    return keras.Model(inputs, keras.layers.Activation(output_activation, dtype="float32")(x), name="decoder")


def convolution(layer, count, kernel_size, strides):
    """A padded convolution with the initial weights of WAE."""
    return layer(count, kernel_size, strides=strides, padding="same", kernel_initializer=normal())


def normal():
    """A new initializer of WAE's convolutions."""
    return keras.initializers.RandomNormal(stddev=INITIAL_DEVIATION)


def check_side(image_shape):
    """Checks that an image is square with a known side; returns the side."""
    if len(image_shape) != 3 or image_shape[0] != image_shape[1]:
        checks.fail(
            "`image_shape` must be (side, side, channels).",
            f"image_shape={image_shape}",
            "Crop images to squares.",
        )
    return checks.one_of("side", image_shape[0], SIDES)
