"""GMMN+AE: a moment matching generator of the codes of a trained auto-encoder."""

import contextlib

import numpy as np
import tensorflow as tf

from tfmmd import checks, kernels
from tfmmd.models import data_checks, pretraining, signatures
from tfmmd.models.autoencoder import Autoencoder
from tfmmd.models.base import GenerativeModel
from tfmmd.models.generator import check_network, check_prior, num_rows
from tfmmd.models.gmmn import MNIST_VARIANCES, moment_matching_loss
from tfmmd.registry import register

SPACES = ("code", "data")
CHECK_ROWS = 500


@register
class GMMNAutoencoder(GenerativeModel):
    """Generative moment matching network in the code space of a frozen auto-encoder.

    loss = sqrt(mmd2(generator(z), encode(x))),   sample = decode(generator(z))

    Encoder and decoder never change in `fit`; `pretrain` trains them first: greedily layer by layer with
    dropout in the encoder, then together.

    Args:
        autoencoder: A `tfmmd.models.Autoencoder` (any of its kind), a pair `(encoder, decoder)` of built
            networks, or a model with `encoder` and `decoder`; frozen from here on.
        generator: Built `keras.Model`, `[b, j]` -> codes `[b, k]`.
        prior: A `tfmmd.priors.Prior` of size `j`.
        kernel: A `tfmmd.kernels.Kernel`; None is the paper's for MNIST: one Gaussian of bandwidth 1 on codes,
            six on data.
        space: `"code"`: the MMD compares codes, as the official code does. `"data"`: it compares decoded
            samples with data, through the frozen decoder.
        root: Whether the square root is taken (the paper's choice) or the squared MMD is minimised.
        shard_rows: As in `GMMN`.
        **kwargs: `seed`, `name`, `dtype`.

    Example:
        ```python
        autoencoder = tfmmd.models.Autoencoder(
            tfmmd.networks.gmmn_encoder((8, 8, 1), 16, hidden=(64,)),
            tfmmd.networks.gmmn_decoder(16, (8, 8, 1), hidden=(64,)),
        )
        generator = tfmmd.networks.gmmn_generator(10, 16)
        model = tfmmd.models.GMMNAutoencoder(autoencoder, generator, tfmmd.priors.Uniform(10))
        model.pretrain(images, num_updates=500)
        model.compile(optimizer="adam")
        model.fit(images, batch_size=500, epochs=50)
        ```

    Reference: [li2015]
    """

    config_names = ("autoencoder", "generator", "prior", "kernel", "space", "root", "shard_rows")

    def __init__(
        self,
        autoencoder,
        generator,
        prior,
        kernel=None,
        *,
        space="code",
        root=True,
        shard_rows=False,
        **kwargs,
    ):
        autoencoder = as_autoencoder(autoencoder)
        _check_generator(generator, prior, autoencoder)
        super().__init__(**kwargs)
        self.autoencoder, self.generator, self.prior = autoencoder, generator, prior
        self.space = checks.one_of("space", space, SPACES)
        self.kernel = kernels.check_kernel(kernel or default_kernel(space))
        self.kernel_networks = kernels.frozen_networks(self.kernel)
        self.root, self.shard_rows = bool(root), bool(shard_rows)
        self.autoencoder.trainable = False

    @property
    def sample_shape(self):
        return self.autoencoder.sample_shape

    @property
    def call_shape(self):
        return self.sample_shape

    @property
    def latent_size(self):
        """Size `k` of the codes that `decode` takes and `encode` gives."""
        return self.autoencoder.latent_size

    def call(self, x, training=False):
        return self.autoencoder(x, training=False)

    def encode(self, x):
        """Data `[b, ...]` -> codes `[b, k]`."""
        return self.autoencoder.encode(x)

    def decode(self, latent):
        return self.autoencoder.decode(latent)

    def reconstruct(self, x):
        """Data `[b, ...]` -> reconstructions `[b, ...]`."""
        return self.autoencoder.reconstruct(x)

    def interpolate(self, start, end, num_steps=8):
        """Decoded points on the line between two codes, `[b, t, ...]`: see `Autoencoder.interpolate`."""
        return self.autoencoder.interpolate(start, end, num_steps)

    def blend(self, start, end, weight):
        """One decoded point between each pair, `[b, ...]`: see `Autoencoder.blend`."""
        return self.autoencoder.blend(start, end, weight)

    def latent_rows(self, row_seeds):
        return signatures.per_row(self.generate, self.prior.rows(row_seeds))

    def generate(self, noise):
        """Noise `[b, j]` -> generated codes `[b, k]`, in inference mode."""
        return tf.cast(self.generator(noise, training=False), tf.float32)

    def endpoints(self):
        return signatures.of_autoencoder(self)

    # -- training --------------------------------------------------------------------------------------------

    def pretrain(self, x, **settings):
        """Trains the auto-encoder: layer by layer, then together; it is frozen again at the end.

        Args:
            x: Data `[n, ...]`.
            **settings: As in `tfmmd.models.pretraining.pretrain`: numbers of updates, batch size, optimizers.

        Returns:
            Dictionary from a phase's name to its mean loss.
        """
        with self._thawed(x):
            return pretraining.pretrain(self.autoencoder, x, seed=self.seed, **settings)

    def pretrain_whole(
        self, x, *, num_updates=3000, batch_size=100, make_optimizer=None, callbacks=None, fit=None
    ):
        """Trains the auto-encoder as its own `fit` does, for networks of any kind; it is frozen again at the end.

        Args:
            x: Data `[n, ...]`.
            num_updates: Number of updates.
            batch_size: Rows per update; the rows come in shuffled passes over `x`.
            make_optimizer: As in `pretrain`; the phase is "whole".
            callbacks: Keras callbacks.
            fit: As in `pretrain`.

        Returns:
            The loss, a mean over the updates.
        """
        updates = checks.positive_int("num_updates", num_updates)
        batches = pretraining.shuffled_batches(x, batch_size, updates, self.seed)
        with self._thawed(x):
            with self.distribute_strategy.scope():
                optimizer = (make_optimizer or pretraining.default_optimizer)("whole", updates)
                self.autoencoder.compile(optimizer=optimizer)
            fit = fit or pretraining.fit_phase
            return fit("whole", self.autoencoder, batches, updates, callbacks)

    @contextlib.contextmanager
    def _thawed(self, x):
        """Checks the data and lets the auto-encoder train for a while."""
        self.autoencoder.check_data(x)
        self.autoencoder.trainable = True
        try:
            yield
        finally:
            self.autoencoder.trainable = False

    def check_data(self, x):
        """Checks shape and, of arrays, that generator and kernel suit their codes."""
        self.autoencoder.check_data(x)
        if isinstance(x, np.ndarray):
            self.check_codes(x[:CHECK_ROWS])

    def train_costs(self, x, step, training):
        fake = self.generator(self.draw_latent(num_rows(x), step), training=training)
        real = x
        if self.space == "code":
            real = tf.stop_gradient(self.encode(x))
        else:
            fake = self.decode(fake)
        return {"loss": self.discrepancy(fake, real)}

    def discrepancy(self, fake, real):
        """The loss between two local samples `[b, ...]`, over the global batch."""
        return moment_matching_loss(fake, real, self.kernel, self.root, self.shard_rows)

    def check_codes(self, x):
        """Checks codes of data `x` against the generator's range, and the kernel's bandwidth against both."""
        codes = self.encode(x).numpy()
        data_checks.check_range("codes", codes, data_checks.interval(self.generator), "the generator")
        compared = codes if self.space == "code" else np.asarray(x, np.float32).reshape(len(x), -1)
        data_checks.warn_if_flat(self.kernel, compared, f"{self.space} points")


def as_autoencoder(value):
    """An `Autoencoder` of what users have: one already, a pair of networks, or a model that holds both."""
    if isinstance(value, Autoencoder):
        return value
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return Autoencoder(*value)
    if hasattr(value, "encoder") and hasattr(value, "decoder"):
        return Autoencoder(value.encoder, value.decoder)
    return checks.fail(
        "`autoencoder` must hold an encoder and a decoder.",
        f"autoencoder={value!r}",
        "Use tfmmd.models.Autoencoder(encoder, decoder).",
    )


def default_kernel(space):
    """The paper's kernel for MNIST: variance 1 on codes, six variances on pixels in [0, 1]."""
    return kernels.Gaussian([1.0] if space == "code" else [v**0.5 for v in MNIST_VARIANCES])


def _check_generator(generator, prior, autoencoder):
    check_network("generator", generator, inputs=check_prior(prior).size)
    size = autoencoder.latent_size
    if tuple(generator.output_shape[1:]) != (size,):
        checks.fail(
            f"`generator` must give codes of the auto-encoder's size, [b, {size}].",
            f"generator.output_shape={generator.output_shape}",
            "Build the generator for this code size, or take another auto-encoder.",
        )
