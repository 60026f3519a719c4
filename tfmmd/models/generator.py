"""Systems that sample by one pass of a generator network."""

import numpy as np
import tensorflow as tf

from tfmmd import checks, priors
from tfmmd.layers import ReferenceBatch, VirtualBatchNormalization
from tfmmd.models import data_checks
from tfmmd.models.base import GenerativeModel


class GeneratorModel(GenerativeModel):
    """A system whose samples are `generator(latent)`, `latent` from a prior.

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        **kwargs: `seed`, `name`, `dtype`.
    """

    config_names: tuple[str, ...] = ("generator", "prior")

    def __init__(self, generator, prior, **kwargs):
        check_network("generator", generator, inputs=check_prior(prior).size)
        super().__init__(**kwargs)
        self.generator, self.prior = generator, prior

    @property
    def sample_shape(self):
        return tuple(self.generator.output_shape[1:])

    def call(self, latent, training=False):
        return self.generator(latent, training=training)

    def check_data(self, x):
        """Checks shape and warns of arrays that the generator cannot give."""
        super().check_data(x)
        if isinstance(x, np.ndarray):
            data_checks.warn_of_range("x", x, data_checks.interval(self.generator), "the generator")

    def decode(self, latent):
        latent = checks.batch("latent", latent, (self.latent_size,))
        return full_precision(self.generator(latent, training=False))


def check_network(name, network, *, inputs=None):
    """Checks that a network is built and takes rows of `inputs` features where given."""
    if not getattr(network, "built", False):
        checks.fail(
            f"`{name}` must be built.",
            f"{name}={network!r}",
            "Give it a keras.Input, or call it once on a batch.",
        )
    if not (hasattr(network, "input_shape") and hasattr(network, "output_shape")):
        checks.fail(
            f"`{name}` must know its shapes; a model that writes its own `call` does not.",
            f"{name}={network!r}",
            "Wrap it: inputs = keras.Input(shape); keras.Model(inputs, network(inputs)).",
        )
    if layers_in(network, VirtualBatchNormalization) and not layers_in(network, ReferenceBatch):
        checks.fail(
            "Virtual batch normalisation needs a reference batch.",
            f"`{name}` with VirtualBatchNormalization, without ReferenceBatch",
            "Put tfmmd.layers.ReferenceBatch(reference) before it and DropReference after it.",
        )
    shape = network.input_shape
    if inputs is not None and isinstance(shape, tuple) and shape[1:] != (inputs,):
        checks.fail(
            f"`{name}` must take codes of the prior's size, [b, {inputs}].",
            f"{name}.input_shape={shape}",
            "Make the prior and the network the same size.",
        )
    return network


def check_prior(prior):
    """Returns `prior` when it can be drawn from."""
    if not isinstance(prior, priors.Prior):
        checks.fail(
            "`prior` must be a `tfmmd.priors.Prior`.",
            f"prior={prior!r}",
            "Use for example tfmmd.priors.Uniform(10).",
        )
    return prior


def full_precision(x):
    """A half precision tensor as float32, others as they are."""
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


def num_rows(x):
    """Rows of a batch: an int where known while tracing, else an int32 scalar."""
    return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]


def layers_in(network, kinds):
    """The layers of a network that are of these classes, at any depth."""
    parts = [*getattr(network, "layers", []), getattr(network, "layer", None)]
    inner = [found for part in parts if part is not None for found in layers_in(part, kinds)]
    return [network, *inner] if isinstance(network, kinds) else inner


def flatten(x):
    """A batch `[b, ...]` as rows `[b, d]`."""
    return tf.reshape(x, [num_rows(x), x.shape[1:].num_elements()])
