"""Generative models that learn by comparing samples, for Keras 3 and TensorFlow.

| system | class | recipe | paper |
| --- | --- | --- | --- |
| Generative moment matching network | `models.GMMN` | `gmmn` | Li, Swersky, Zemel 2015 |
| GMMN on the codes of an auto-encoder | `models.GMMNAutoencoder` | `gmmn-ae` | Li, Swersky, Zemel 2015 |
| MMD GAN | `models.MMDGAN` | `mmd-gan` | Binkowski et al. 2018 |
| WGAN-GP | `models.WGANGP` | `wgan-gp` | Gulrajani et al. 2017 |
| Cramer GAN | `models.CramerGAN` | `cramer-gan` | Bellemare et al. 2017 |
| Wasserstein auto-encoder, MMD penalty | `models.WAEMMD` | `wae-mmd` | Tolstikhin et al. 2018 |
| Wasserstein auto-encoder, GAN penalty | `models.WAEGAN` | `wae-gan` | Tolstikhin et al. 2018 |
| Generative auto-encoder | `models.GAE` | `gae` | Kim, Kim, Hwang 2018 |
| Improved-GAN techniques | `models.ImprovedGAN` | `improved-gan` | Salimans et al. 2016 |
| Semi-supervised GAN | `models.SemiSupervisedGAN` | `semi-supervised` | Salimans et al. 2016 |
| Variational auto-encoder | `models.VAE` | `vae` | Kingma, Welling 2013 |
| Adversarial auto-encoder | `models.AAE` | `aae` | Makhzani et al. 2015 |
| Generative adversarial network | `models.GAN` | `gan` | Goodfellow et al. 2014 |

`kernels` compare two points, `discrepancies` two samples; `metrics` score samples; `data` loads them;
`callbacks` watch a run. `python -m trainers` runs recipes, `python -m export` serves the results.
"""

from tfmmd import (
    callbacks,
    checks,
    data,
    discrepancies,
    distribute,
    kernels,
    layers,
    metrics,
    models,
    networks,
    objectives,
    optimizers,
    penalties,
    priors,
    seeds,
)
from tfmmd.version import __version__

__all__ = [
    "callbacks",
    "checks",
    "data",
    "discrepancies",
    "distribute",
    "kernels",
    "layers",
    "metrics",
    "models",
    "networks",
    "objectives",
    "penalties",
    "optimizers",
    "priors",
    "seeds",
    "__version__",
]
