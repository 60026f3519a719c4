"""The systems: Keras models that learn by comparing samples."""

from tfmmd.models.autoencoder import Autoencoder
from tfmmd.models.base import GenerativeModel
from tfmmd.models.classification import average_predictions
from tfmmd.models.code_tables import KeepCodes
from tfmmd.models.gae import GAE
from tfmmd.models.gan import GAN, AdversarialModel
from tfmmd.models.gmmn import GMMN
from tfmmd.models.gmmn_autoencoder import GMMNAutoencoder
from tfmmd.models.improved_gan import ImprovedGAN
from tfmmd.models.latent_critic import AAE
from tfmmd.models.mmd_gan import MMDGAN, WGANGP, CramerGAN
from tfmmd.models.moment_matching import match_moments
from tfmmd.models.semi_supervised import SemiSupervisedGAN
from tfmmd.models.vae import VAE
from tfmmd.models.wae import WAEGAN, WAEMMD, latent_kernel

__all__ = [
    "AAE",
    "GAE",
    "GAN",
    "GMMN",
    "ImprovedGAN",
    "MMDGAN",
    "SemiSupervisedGAN",
    "VAE",
    "WAEGAN",
    "WAEMMD",
    "WGANGP",
    "AdversarialModel",
    "Autoencoder",
    "CramerGAN",
    "GMMNAutoencoder",
    "GenerativeModel",
    "KeepCodes",
    "average_predictions",
    "latent_kernel",
    "match_moments",
]
