"""The systems: Keras models that learn by comparing samples."""

from tfmmd.models.autoencoder import Autoencoder
from tfmmd.models.base import GenerativeModel
from tfmmd.models.gmmn import GMMN
from tfmmd.models.gmmn_autoencoder import GMMNAutoencoder
from tfmmd.models.latent_critic import AAE
from tfmmd.models.vae import VAE
from tfmmd.models.wae import WAEGAN, WAEMMD, latent_kernel

__all__ = [
    "AAE",
    "GMMN",
    "VAE",
    "WAEGAN",
    "WAEMMD",
    "Autoencoder",
    "GMMNAutoencoder",
    "GenerativeModel",
    "latent_kernel",
]
