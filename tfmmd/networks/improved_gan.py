"""Networks of Improved GAN: permutation-invariant for MNIST, convolutional for CIFAR-10 and SVHN."""

import math

import keras

from tfmmd import checks
from tfmmd.layers import (
    Dropout,
    DropReference,
    GaussianNoise,
    MinibatchDiscrimination,
    ReferenceBatch,
    VirtualBatchNormalization,
    WeightNormalization,
)

FEATURES = "features"  # name of the layer whose output feature matching compares
_SEEDS_PER_NETWORK = 1000


def improved_gan_mnist_generator(
    latent_size=100, output_shape=(28, 28, 1), *, hidden=(500, 500), reference=None
):
    """The MNIST generator: softplus layers with batch norm, a weight-normalised sigmoid output.

    Args:
        latent_size: Size of the noise `k`, uniform on [0, 1) in the paper.
        output_shape: Shape of one sample, an int or a tuple.
        hidden: Units of the hidden layers.
        reference: Codes `[n, k]` for virtual batch norm instead of batch norm.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *output_shape]` in (0, 1).

    Reference: [salimans2016]
    """
    shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
    norm = _Normalization(reference)
    inputs = keras.Input((latent_size,))
    x = norm.begin(inputs)
    for units in hidden:
        x = keras.layers.Dense(checks.positive_int("hidden", units), use_bias=False)(x)
        x = keras.layers.Activation("softplus")(norm(x))
    x = norm.end(x)
    outputs = keras.layers.Dense(math.prod(shape), "sigmoid")
    x = WeightNormalization(outputs, init_stddev=None, dtype="float32")(x)
    return keras.Model(inputs, keras.layers.Reshape(shape, dtype="float32")(x), name="generator")


def improved_gan_mnist_critic(
    input_shape=(28, 28, 1),
    num_outputs=10,
    *,
    hidden=(1000, 500, 250, 250, 250),
    input_noise=0.3,
    hidden_noise=0.5,
    minibatch_discrimination=False,
    seed=0,
):
    """The MNIST critic: weight-normalised ReLU layers with Gaussian noise before each.

    Args:
        input_shape: Shape of one sample, an int or a tuple.
        num_outputs: Number of logits: classes `K`, or 1 without labels.
        hidden: Units of the hidden layers; the output of the last is the layer "features".
        input_noise: Standard deviation of the noise on the input.
        hidden_noise: Standard deviation of the noise on hidden layers.
        minibatch_discrimination: Whether the logits also see `MinibatchDiscrimination` of the features.
        seed: Seed of the noise.

    Returns:
        `keras.Model`, `[b, *input_shape]` -> logits `[b, num_outputs]`. Call `layers.initialize` on some
        hundred real rows before training.

    Reference: [salimans2016]
    """
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    noise = _numbered(GaussianNoise, seed)
    inputs = keras.Input(shape)
    x = noise(input_noise)(keras.layers.Flatten()(inputs))
    for i, units in enumerate(hidden):
        name = FEATURES if i == len(hidden) - 1 else None
        x = WeightNormalization(_dense(units, "relu", 0.1), trainable_scale=False, name=name)(x)
        if minibatch_discrimination and name:
            x = MinibatchDiscrimination()(x)
        x = noise(hidden_noise)(x)
    logits = WeightNormalization(_dense(num_outputs, None, 0.1), dtype="float32")(x)
    return keras.Model(inputs, logits, name="critic")


def improved_gan_conv_generator(latent_size=100, output_shape=(32, 32, 3), *, width=128, reference=None):
    """The CIFAR-10 and SVHN generator: three transposed convolutions with batch norm, tanh output.

    Args:
        latent_size: Size of the noise `k`, uniform on [0, 1) in the paper.
        output_shape: Shape of one sample `(h, w, c)`; sides are multiples of 8.
        width: Filters of the last hidden layer; those before have 2 and 4 times as many.
        reference: Codes `[n, k]` for virtual batch norm instead of batch norm.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, h, w, c]` in (-1, 1).

    Reference: [salimans2016]
    """
    height, breadth, channels = output_shape
    if height % 8 or breadth % 8:
        checks.fail(
            "Sides must be multiples of 8.", f"output_shape={tuple(output_shape)}", "Resize the images."
        )
    norm = _Normalization(reference)
    inputs = keras.Input((latent_size,))
    first = (height // 8, breadth // 8, 4 * width)
    x = keras.layers.Dense(math.prod(first), use_bias=False, kernel_initializer=_normal())(norm.begin(inputs))
    x = keras.layers.Activation("relu")(norm(x))
    x = keras.layers.Reshape(first)(x)
    for filters in (2 * width, width):
        x = _deconvolution(filters, use_bias=False)(x)
        x = keras.layers.Activation("relu")(norm(x))
    x = norm.end(x)
    x = _normalized(_deconvolution(channels, activation="tanh"), init_stddev=0.1, dtype="float32")(x)
    return keras.Model(inputs, x, name="generator")


def improved_gan_conv_critic(
    input_shape=(32, 32, 3), num_outputs=10, *, width=96, minibatch_discrimination=False, seed=0
):
    """The nine-layer convolutional critic of CIFAR-10 and SVHN, weight-normalised, with dropout.

    Args:
        input_shape: Shape of one sample `(h, w, c)`.
        num_outputs: Number of logits: classes `K`, or 1 without labels.
        width: Filters of the first three layers; the others have twice as many (64 and 128 for SVHN).
        minibatch_discrimination: Whether the logits also see `MinibatchDiscrimination` of the features; the
            input then gets noise of deviation 0.2 instead of dropout, as in the code.
        seed: Seed of dropout and noise.

    Returns:
        `keras.Model`, `[b, h, w, c]` -> logits `[b, num_outputs]`; its layer "features" is the global mean
        before the logits. Call `layers.initialize` on some hundred real rows before training.

    Reference: [salimans2016]
    """
    if min(input_shape[:2]) < 9:
        checks.fail(
            "Sides must be 9 or more.", f"input_shape={input_shape}", "Use improved_gan_mnist_critic."
        )
    drop = _numbered(Dropout, seed)
    inputs = keras.Input(input_shape)
    x = GaussianNoise(0.2, seed=seed)(inputs) if minibatch_discrimination else drop(0.2)(inputs)
    for filters in (width, 2 * width):
        x = _convolution(filters)(x)
        x = _convolution(filters)(x)
        x = drop(0.5)(_convolution(filters, strides=2)(x))
    x = _convolution(2 * width, padding="valid")(x)
    x = _convolution(2 * width, size=1)(x)
    x = _convolution(2 * width, size=1)(x)
    x = keras.layers.GlobalAveragePooling2D(name=FEATURES)(x)
    if minibatch_discrimination:
        x = MinibatchDiscrimination()(x)
    logits = _normalized(_dense(num_outputs, None, 0.05), init_stddev=0.1, dtype="float32")(x)
    return keras.Model(inputs, logits, name="critic")


class _Normalization:
    """Batch norm without a scale, or virtual batch norm where a reference is given."""

    def __init__(self, reference):
        self.reference, self.size = reference, None if reference is None else len(reference)

    def begin(self, x):
        return x if self.size is None else ReferenceBatch(self.reference)(x)

    def __call__(self, x):
        if self.size is None:
            return keras.layers.BatchNormalization(scale=False, epsilon=1e-6, synchronized=True)(x)
        return VirtualBatchNormalization(self.size)(x)

    def end(self, x):
        return x if self.size is None else DropReference(self.size)(x)


def _numbered(layer, seed):
    """A maker of noise layers with seeds of their own."""
    count = iter(range(_SEEDS_PER_NETWORK))
    return lambda amount: layer(amount, seed=seed * _SEEDS_PER_NETWORK + next(count))


def _normal(stddev=0.05):
    return keras.initializers.RandomNormal(stddev=stddev)


def _dense(units, activation, stddev):
    return keras.layers.Dense(units, activation, kernel_initializer=_normal(stddev))


def _deconvolution(filters, **kwargs):
    return keras.layers.Conv2DTranspose(
        filters, 5, strides=2, padding="same", kernel_initializer=_normal(), **kwargs
    )


def _convolution(filters, size=3, strides=1, padding="same"):
    layer = keras.layers.Conv2D(
        filters, size, strides, padding, activation="leaky_relu", kernel_initializer=_normal()
    )
    return _normalized(layer, trainable_scale=False)


def _normalized(layer, **kwargs):
    return WeightNormalization(layer, epsilon=1e-6, **kwargs)
