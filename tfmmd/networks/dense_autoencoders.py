"""Fully connected encoders, decoders and latent critics, each named after its paper.

Encoders end in a linear layer (GMMN's in a sigmoid); decoders end in a sigmoid, or in logits with
`output_activation=None`.
"""

import keras

from tfmmd import checks
from tfmmd.networks.dense import as_shape, fan_in_normal, mlp


def gmmn_encoder(input_shape=(28, 28, 1), code_size=32, *, hidden=(1024,)):
    """The encoder of GMMN+AE: sigmoid layers down to codes in (0, 1).

    Args:
        input_shape: Shape of one example.
        code_size: Size of a code, `k`.
        hidden: Units of the hidden layers.

    Returns:
        `keras.Model`, `[b, *input_shape]` -> `[b, k]`.

    Reference: [li2015]
    """
    sigmoid = {"activation": "sigmoid", "output_activation": "sigmoid", "initializer": fan_in_normal}
    return mlp(input_shape, hidden, code_size, **sigmoid, name="encoder")


def gmmn_decoder(code_size=32, output_shape=(28, 28, 1), *, hidden=(1024,)):
    """The decoder of GMMN+AE, the mirror of `gmmn_encoder` (`hidden` in the decoder's order).

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *output_shape]` in (0, 1).

    Reference: [li2015]
    """
    sigmoid = {"activation": "sigmoid", "output_activation": "sigmoid", "initializer": fan_in_normal}
    return mlp(code_size, hidden, output_shape, **sigmoid, name="decoder")


def vae_encoder(input_shape=(28, 28, 1), latent_size=20, *, hidden=(500,), activation="relu"):
    """The encoder of a VAE: means, then log variances.

    Args:
        input_shape: Shape of one example.
        latent_size: Size of a code, `k`.
        hidden: Units of the hidden layers.
        activation: Activation of the hidden layers; the paper's is `"tanh"`.

    Returns:
        `keras.Model`, `[b, *input_shape]` -> `[b, 2 * k]`.

    Reference: [kingma2013]
    """
    return mlp(input_shape, hidden, 2 * latent_size, activation=activation, name="encoder")


def vae_decoder(
    latent_size=20, output_shape=(28, 28, 1), *, hidden=(500,), activation="relu", output_activation="sigmoid"
):
    """The decoder of a VAE.

    Args:
        latent_size: Size of a code, `k`.
        output_shape: Shape of one example.
        hidden: Units of the hidden layers.
        activation: Activation of the hidden layers.
        output_activation: `"sigmoid"` for probabilities, None for logits or a Gaussian's mean.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *output_shape]`.

    Reference: [kingma2013]
    """
    return mlp(
        latent_size,
        hidden,
        output_shape,
        activation=activation,
        output_activation=output_activation,
        name="decoder",
    )


def aae_encoder(input_shape=(28, 28, 1), latent_size=8, *, hidden=(1000, 1000), initializer=None):
    """The encoder of the adversarial auto-encoder: two ReLU layers and a linear code.

    Args:
        input_shape: Shape of one example.
        latent_size: Size of a code, `k`.
        hidden: Units of the hidden layers.
        initializer: Function without arguments that makes a kernel initializer; None is Glorot uniform, the
            paper's is `small_normal`.

    Returns:
        `keras.Model`, `[b, *input_shape]` -> `[b, k]`.

    Reference: [makhzani2015]
    """
    return mlp(input_shape, hidden, latent_size, initializer=initializer, name="encoder")


def aae_decoder(
    latent_size=8,
    output_shape=(28, 28, 1),
    *,
    hidden=(1000, 1000),
    output_activation="sigmoid",
    initializer=None,
):
    """The decoder of the adversarial auto-encoder; arguments as in `aae_encoder` and `vae_decoder`.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *output_shape]`.

    Reference: [makhzani2015]
    """
    return mlp(
        latent_size,
        hidden,
        output_shape,
        output_activation=output_activation,
        initializer=initializer,
        name="decoder",
    )


def latent_critic(latent_size=8, *, hidden=(1000, 1000), initializer=None):
    """A critic on codes: ReLU layers and one logit; (1000, 1000) in AAE, four of 512 or 1024 in WAE-GAN.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, 1]`.

    Reference: [makhzani2015], [tolstikhin2018]
    """
    return mlp(latent_size, hidden, 1, initializer=initializer, name="critic")


def small_normal():
    """N(0, 0.01**2), the initial weights of AAE and WAE."""
    return keras.initializers.RandomNormal(stddev=0.01)


def wae_encoder_small(input_shape=(28, 28, 1), num_outputs=8, *, hidden=(256, 256, 256)):
    """The dense encoder of WAE (`mnist_small`): layers of dense, batch normalisation, ReLU.

    Initial weights are Glorot uniform here and in the decoder, where the source has N(0, 0.01**2).

    Args:
        input_shape: Shape of one example.
        num_outputs: Outputs: the code size `k`, or `2 * k` for a Gaussian posterior.
        hidden: Units of the hidden layers.

    Returns:
        `keras.Model`, `[b, *input_shape]` -> `[b, num_outputs]`.

    Reference: [tolstikhin2018]
    """
    inputs = keras.Input(as_shape(input_shape))
    x = keras.layers.Flatten()(inputs)
    for units in hidden:
        x = keras.layers.Dense(checks.positive_int("hidden", units))(x)
        x = keras.layers.ReLU()(batch_norm()(x))
    x = keras.layers.Dense(num_outputs, dtype="float32")(x)
    return keras.Model(inputs, x, name="encoder")


def wae_decoder_small(
    latent_size=8, output_shape=(28, 28, 1), *, hidden=(256, 256, 256), output_activation="sigmoid"
):
    """The dense decoder of WAE (`mnist_small`): layers of dense, ReLU, batch normalisation.

    Args:
        latent_size: Size of a code, `k`.
        output_shape: Shape of one example.
        hidden: Units of the hidden layers.
        output_activation: `"sigmoid"` for data in [0, 1], `"tanh"` for [-1, 1], None for logits.

    Returns:
        `keras.Model`, `[b, k]` -> `[b, *output_shape]`.

    Reference: [tolstikhin2018]
    """
    inputs = x = keras.Input((latent_size,))
    for units in hidden:
        x = batch_norm()(keras.layers.Dense(checks.positive_int("hidden", units), "relu")(x))
    last = mlp(x.shape[-1], (), output_shape, output_activation=output_activation)
    return keras.Model(inputs, last(x), name="decoder")


def standardized(encoder, scale=1.0):
    """An encoder whose codes have mean 0 and one standard deviation, entry by entry over the data.

    Batch normalisation without trained weights; outside training it uses its running moments.

    Args:
        encoder: Built `keras.Model`, `[b, ...]` -> `[b, k]`.
        scale: Standard deviation of the codes.

    Returns:
        `keras.Model` of the same shapes.
    """
    norm = keras.layers.BatchNormalization(
        center=False, scale=False, epsilon=1e-6, synchronized=True, dtype="float32"
    )
    codes = keras.layers.Rescaling(scale, dtype="float32")(norm(encoder.output))
    return keras.Model(encoder.input, codes, name=encoder.name)


def batch_norm():
    """Batch normalisation as in the code of WAE, over the batch of all replicas."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True)
