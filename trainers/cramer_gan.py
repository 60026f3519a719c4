"""Cramer GAN recipe, as a baseline of MMD GAN."""

from tfmmd import models, priors
from trainers import adversarial
from trainers.recipe import Recipe


def build(settings, data):
    return models.CramerGAN(
        adversarial.generator(settings, data),
        adversarial.critic(settings, data, settings.critic_size),
        priors.Uniform(settings.latent_size),
        penalty_weight=settings.penalty_weight,
        variant=settings.variant,
        generator_ema=settings.generator_ema,
        seed=data.seed,
    )


RECIPE = Recipe(
    system="cramer-gan",
    title="Cramer GAN",
    reference="bellemare2017",
    build=build,
    compile=adversarial.compile_model,
    callbacks=adversarial.watchers,
    rows_per_step=adversarial.rows_per_step,
    settings={
        **adversarial.SETTINGS,
        "critic_size": 256,
        "penalty_weight": 10.0,
        "variant": "paper",
    },
    datasets=adversarial.DATASETS,
    presets={"paper": adversarial.PAPER, "quick": adversarial.QUICK},
    special={("digits", "quick"): adversarial.DIGITS_QUICK},
    measures=adversarial.MEASURES,
    tunable=adversarial.TUNABLE,
)
