"""WGAN-GP recipe, as a baseline of MMD GAN."""

from tfmmd import models, priors
from trainers import adversarial
from trainers.recipe import Recipe


def build(settings, data):
    return models.WGANGP(
        adversarial.generator(settings, data),
        adversarial.critic(settings, data, 1),
        priors.Uniform(settings.latent_size),
        penalty_weight=settings.penalty_weight,
        generator_ema=settings.generator_ema,
        seed=data.seed,
    )


RECIPE = Recipe(
    system="wgan-gp",
    title="Wasserstein GAN with gradient penalty",
    reference="gulrajani2017",
    build=build,
    compile=adversarial.compile_model,
    callbacks=adversarial.watchers,
    rows_per_step=adversarial.rows_per_step,
    settings={**adversarial.SETTINGS, "penalty_weight": 10.0},
    datasets=adversarial.DATASETS,
    presets={"paper": adversarial.PAPER, "quick": adversarial.QUICK},
    special={("digits", "quick"): {**adversarial.DIGITS_QUICK, "learning_rate": 1e-3}},
    measures=adversarial.MEASURES,
    tunable=adversarial.TUNABLE,
)
