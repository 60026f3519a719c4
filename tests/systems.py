"""Tiny instances of every system, for the contract tests: each system adds one factory."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from sklearn.datasets import load_digits

from tfmmd import kernels, models, networks, optimizers, priors

SHAPE = (8, 8, 1)
CODE = 3


def digits(rows=64):
    """`[rows, 8, 8, 1]` images in [0, 1]."""
    return (load_digits().images[:rows] / 16.0).astype(np.float32)[..., None]


@dataclasses.dataclass(frozen=True)
class System:
    """How the contract tests make a system.

    Args:
        build: Function () -> uncompiled model for `SHAPE`.
        compile: Function model -> None.
        batch_size: Rows of one `fit` batch of `digits(64)`.
        labelled: Whether it learns and is evaluated with labels.
    """

    build: Callable
    compile: Callable
    batch_size: int = 16
    labelled: bool = False

    def labels(self, rows=64):
        """What `fit`, `evaluate` and `train_on_batch` take beside `digits(rows)`: a tuple, perhaps empty."""
        return (load_digits().target[:rows],) if self.labelled else ()


def compile_one(model):
    """One player with the recipes' Adam."""
    model.compile(optimizer=optimizers.FusedAdam(1e-3))


def compile_two(model):
    """Two players with Adam, two critic steps."""
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-3),
        critic_optimizer=keras.optimizers.Adam(1e-3),
        critic_steps=1,
    )


def generator():
    """`[b, CODE]` -> `[b, 8, 8, 1]` in (0, 1)."""
    return networks.gmmn_generator(CODE, SHAPE, hidden=(16, 16))


def gmmn():
    return models.GMMN(generator(), priors.Uniform(CODE), kernels.Gaussian([1.0, 2.0, 4.0]))


def dense_critic(output_size):
    """`[b, 8, 8, 1]` -> `[b, output_size]`."""
    return networks.mlp(SHAPE, (16, 16), output_size, activation="leaky_relu")


def gan():
    critic = networks.maxout_gan_critic(SHAPE, units=8, pieces=2)
    return models.GAN(generator(), critic, priors.Uniform(CODE), real_target=0.9)


def wgan_gp():
    return models.WGANGP(generator(), dense_critic(1), priors.Uniform(CODE))


def cramer_gan():
    return models.CramerGAN(generator(), dense_critic(4), priors.Uniform(CODE))


def mmd_gan():
    networks_ = (
        networks.dcgan_generator(CODE, SHAPE, filters=4, num_stages=2),
        networks.dcgan_critic(SHAPE, 4, filters=4, num_stages=2),
    )
    return models.MMDGAN(*networks_, priors.Uniform(CODE), generator_ema=0.9)


def encoder(num_outputs=CODE):
    """`[b, 8, 8, 1]` -> `[b, num_outputs]`."""
    return networks.mlp(SHAPE, (16,), num_outputs)


def decoder():
    """`[b, CODE]` -> `[b, 8, 8, 1]` in (0, 1)."""
    return networks.vae_decoder(CODE, SHAPE, hidden=(16,))


def gmmn_ae():
    stack = networks.gmmn_encoder(SHAPE, CODE, hidden=(16,)), networks.gmmn_decoder(CODE, SHAPE, hidden=(16,))
    return models.GMMNAutoencoder(
        models.Autoencoder(*stack),
        networks.gmmn_generator(4, CODE, hidden=(16, 16)),
        priors.Uniform(4),
        kernels.Gaussian([0.05, 0.1]),
    )


def vae():
    return models.VAE(encoder(2 * CODE), decoder(), warmup_steps=10)


def aae():
    critic = networks.latent_critic(CODE, hidden=(16,))
    return models.AAE(encoder(), decoder(), critic, priors.Normal(CODE))


def wae_mmd():
    return models.WAEMMD(encoder(), decoder(), priors.Normal(CODE), posterior="noisy")


def wae_gan():
    critic = networks.latent_critic(CODE, hidden=(16,))
    return models.WAEGAN(encoder(2 * CODE), decoder(), critic, priors.Uniform(CODE), posterior="gaussian")


def gae():
    return models.GAE(
        encoder(2 * CODE), decoder(), objective="path", num_draws=2, warmup_epochs=0.5, num_components=64
    )


def improved_gan():
    pair = (
        networks.improved_gan_mnist_generator(CODE, SHAPE, hidden=(16, 16)),
        networks.improved_gan_mnist_critic(SHAPE, 1, hidden=(16, 16), minibatch_discrimination=True),
    )
    settings = {"feature_layer": "features", "historical_weight": 0.1}
    return models.ImprovedGAN(*pair, priors.Uniform(CODE, 0.0, 1.0), **settings)


def semi_supervised():
    pair = (
        networks.improved_gan_mnist_generator(CODE, SHAPE, hidden=(16, 16)),
        networks.improved_gan_mnist_critic(SHAPE, 10, hidden=(16, 16)),
    )
    return models.SemiSupervisedGAN(*pair, priors.Uniform(CODE, 0.0, 1.0))


SYSTEMS = {
    "gmmn": System(gmmn, compile_one),
    "gmmn-ae": System(gmmn_ae, compile_one),
    "vae": System(vae, compile_one),
    "aae": System(aae, compile_two),
    "gae": System(gae, compile_one),
    "wae-mmd": System(wae_mmd, compile_one),
    "wae-gan": System(wae_gan, compile_two),
    "gan": System(gan, compile_two),
    "wgan-gp": System(wgan_gp, compile_two),
    "cramer-gan": System(cramer_gan, compile_two),
    "mmd-gan": System(mmd_gan, compile_two),
    "improved-gan": System(improved_gan, compile_two),
    "semi-supervised": System(semi_supervised, compile_two, labelled=True),
}


def wide_gmmn():
    """A GMMN of another architecture than `gmmn()`."""
    return models.GMMN(networks.gmmn_generator(CODE, SHAPE, hidden=(32, 16)), priors.Uniform(CODE))
