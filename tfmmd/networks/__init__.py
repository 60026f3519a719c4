"""Networks of the papers: functions that return built Keras models, to be handed to a system."""

from tfmmd.networks.dense import gmmn_generator, mlp
from tfmmd.networks.dense_autoencoders import (
    aae_decoder,
    aae_encoder,
    gmmn_decoder,
    gmmn_encoder,
    latent_critic,
    small_normal,
    vae_decoder,
    vae_encoder,
    wae_decoder_small,
    wae_encoder_small,
)
from tfmmd.networks.wae_conv import wae_decoder, wae_encoder

__all__ = [
    "aae_decoder",
    "aae_encoder",
    "gmmn_decoder",
    "gmmn_encoder",
    "gmmn_generator",
    "latent_critic",
    "mlp",
    "small_normal",
    "vae_decoder",
    "vae_encoder",
    "wae_decoder",
    "wae_decoder_small",
    "wae_encoder",
    "wae_encoder_small",
]
