"""Networks of the papers: functions that return built Keras models, to be handed to a system."""

from tfmmd.networks.conv import dcgan_critic, dcgan_generator, resnet_generator
from tfmmd.networks.dense import gmmn_generator, mlp
from tfmmd.networks.dense_autoencoders import (
    aae_decoder,
    aae_encoder,
    gmmn_decoder,
    gmmn_encoder,
    latent_critic,
    small_normal,
    standardized,
    vae_decoder,
    vae_encoder,
    wae_decoder_small,
    wae_encoder_small,
)
from tfmmd.networks.improved_gan import (
    improved_gan_conv_critic,
    improved_gan_conv_generator,
    improved_gan_mnist_critic,
    improved_gan_mnist_generator,
)
from tfmmd.networks.lenet import lenet
from tfmmd.networks.maxout import maxout_gan_critic, maxout_gan_generator
from tfmmd.networks.tables import table_generator
from tfmmd.networks.wae_conv import wae_decoder, wae_encoder

__all__ = [
    "aae_decoder",
    "aae_encoder",
    "dcgan_critic",
    "dcgan_generator",
    "gmmn_decoder",
    "gmmn_encoder",
    "gmmn_generator",
    "improved_gan_conv_critic",
    "improved_gan_conv_generator",
    "improved_gan_mnist_critic",
    "improved_gan_mnist_generator",
    "latent_critic",
    "lenet",
    "maxout_gan_critic",
    "maxout_gan_generator",
    "mlp",
    "resnet_generator",
    "small_normal",
    "standardized",
    "table_generator",
    "vae_decoder",
    "vae_encoder",
    "wae_decoder",
    "wae_decoder_small",
    "wae_encoder",
    "wae_encoder_small",
]
