"""Convolutional generators and critics of the GAN papers."""

import math

import keras

from tfmmd import checks


def dcgan_generator(
    latent_size=100,
    output_shape=(28, 28, 1),
    *,
    filters=64,
    num_stages=4,
    output_activation="sigmoid",
):
    """The DCGAN generator of MMD GAN: a dense layer, then 5x5 transposed convolutions of stride 2.

    Sizes halve from the output inwards, rounded up: 28, 14, 7, 4, 2; the innermost map has
    `filters * 2**(num_stages - 1)` channels. Batch norm and ReLU after every layer but the last.

    Args:
        latent_size: Size of the noise, `k`.
        output_shape: Shape of one image, `(h, w, c)`; 28, 32 and 64 pixels in the papers.
        filters: Channels of the outermost hidden map.
        num_stages: Number of transposed convolutions.
        output_activation: Of the last layer, float32 under every precision policy.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, h, w, c]`.

    Reference: [radford2016], [binkowski2018]
    """
    output_shape = checks.shape("output_shape", output_shape, 3)
    sizes = _halved(output_shape, num_stages)
    x = inputs = keras.Input((checks.positive_int("latent_size", latent_size),))
    channels = checks.positive_int("filters", filters) * 2 ** (num_stages - 1)
    x = keras.layers.Dense(math.prod(sizes[-1]) * channels, kernel_initializer=_normal(0.01))(x)
    x = _normalized(keras.layers.Reshape((*sizes[-1], channels))(x))
    for small, large in zip(sizes[:0:-1], sizes[-2:0:-1]):
        channels //= 2
        x = _normalized(_upscale(channels, small, large)(x))
    last = {"activation": output_activation, "use_bias": True, "dtype": "float32"}
    x = _upscale(output_shape[-1], sizes[1], sizes[0], **last)(x)
    return keras.Model(inputs, x, name="generator")


def dcgan_critic(
    input_shape=(28, 28, 1),
    output_size=16,
    *,
    filters=64,
    num_stages=4,
    batch_norm=False,
):
    """The DCGAN critic of MMD GAN: 5x5 convolutions of stride 2 with leaky ReLU, then a dense layer.

    Args:
        input_shape: Shape of one image, `(h, w, c)`.
        output_size: Size of the output: 16 in MMD GAN, 256 in Cramer GAN, 1 for WGAN-GP and GAN.
        filters: Channels of the first layer; each next one has twice as many. 64 in the papers, 16 in the
            study of small critics.
        num_stages: Number of convolutions: 4, and 5 for images of 64 to 160 pixels.
        batch_norm: Whether layers after the first are batch normalised; not with a gradient penalty.

    Returns:
        `keras.Model`, `[b, h, w, c]` -> `[b, output_size]`.

    Reference: [radford2016], [binkowski2018]
    """
    filters = checks.positive_int("filters", filters)
    x = inputs = keras.Input(checks.shape("input_shape", input_shape, 3))
    for stage in range(checks.positive_int("num_stages", num_stages)):
        normalized = batch_norm and stage > 0
        x = keras.layers.Conv2D(
            filters * 2**stage,
            5,
            strides=2,
            padding="same",
            use_bias=not normalized,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )(x)
        x = _batch_norm()(x) if normalized else x
        x = keras.layers.LeakyReLU(0.2)(x)
    x = keras.layers.Flatten()(x)
    output_size = checks.positive_int("output_size", output_size)
    x = keras.layers.Dense(output_size, kernel_initializer=_normal(0.01), dtype="float32")(x)
    return keras.Model(inputs, x, name="critic")


def resnet_generator(
    latent_size=100,
    output_shape=(64, 64, 3),
    *,
    filters=64,
    output_activation="sigmoid",
):
    """A residual generator for images of 64 to 160 pixels, to go with a critic of 5 layers.

    A dense layer to a map of 4 to 7 pixels, then residual blocks that each double it: two 3x3 convolutions
    with batch norm and ReLU before each, and a 1x1 convolution on the way past.

    Args:
        latent_size: Size of the noise, `k`.
        output_shape: Shape of one image, `(h, w, c)`: the shorter side 4 to 7 times a power of two from 2 on, the
            longer one a multiple of that power.
        filters: Channels of the last block; the inner ones have 2, 4 and at most 8 times as many.
        output_activation: Of the last layer, float32 under every precision policy.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, h, w, c]`.

    Reference: [gulrajani2017], [binkowski2018]
    """
    filters = checks.positive_int("filters", filters)
    output_shape = checks.shape("output_shape", output_shape, 3)
    blocks = max((min(output_shape[:2]) // 4).bit_length() - 1, 1)
    start = [size // 2**blocks for size in output_shape[:2]]
    if min(start) < 4 or [size * 2**blocks for size in start] != list(output_shape[:2]):
        checks.fail(
            f"Each side must be a multiple of {2**blocks}, and 8 pixels or more.",
            f"output_shape={tuple(output_shape)}",
            "Use for example 64, 96, 128 or 160 pixels.",
        )
    widths = [filters * min(8, 2**i) for i in reversed(range(blocks))]
    x = inputs = keras.Input((checks.positive_int("latent_size", latent_size),))
    x = keras.layers.Dense(math.prod(start) * widths[0])(x)
    x = keras.layers.Reshape((*start, widths[0]))(x)
    for width in widths:
        x = _residual_block(x, width)
    x = keras.layers.Conv2D(output_shape[-1], 3, padding="same")(_normalized(x))
    x = keras.layers.Activation(output_activation, dtype="float32")(x)
    return keras.Model(inputs, x, name="generator")


def _residual_block(x, width):
    """Doubles a map: upsample, convolve twice, add the upsampled input."""
    past = keras.layers.Conv2D(width, 1)(keras.layers.UpSampling2D()(x))
    x = keras.layers.UpSampling2D()(_normalized(x))
    x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
    x = keras.layers.Conv2D(width, 3, padding="same")(_normalized(x))
    return keras.layers.Add()([past, x])


def _halved(shape, num_stages):
    """Sides `(h, w)` of the maps from the image inwards, each half of the one before, rounded up."""
    checks.positive_int("num_stages", num_stages)
    sizes = [tuple(shape[:2])]
    for _ in range(num_stages):
        sizes.append(tuple(math.ceil(side / 2) for side in sizes[-1]))
    return sizes


def _upscale(channels, small, large, *, activation=None, use_bias=False, dtype=None):
    """A transposed convolution between two sizes, the larger one 2 n or 2 n - 1; batch norm has its own bias."""
    return keras.layers.Conv2DTranspose(
        channels,
        5,
        strides=2,
        padding="same",
        output_padding=[big - 2 * side + 1 for side, big in zip(small, large)],
        activation=activation,
        use_bias=use_bias,
        kernel_initializer=_normal(0.02),
        dtype=dtype,
    )


def _normalized(x):
    return keras.layers.ReLU()(_batch_norm()(x))


def _batch_norm():
    """Batch norm over the global batch, with the constants of the released code."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True)


def _normal(deviation):
    return keras.initializers.RandomNormal(stddev=deviation)
