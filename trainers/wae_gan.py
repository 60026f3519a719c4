"""WAE-GAN recipe."""

from tfmmd import models, networks
from trainers.autoencoders import MEASURES, encoder_and_decoder, make_optimizer, make_prior, pictures
from trainers.recipe import Recipe
from trainers.wae_mmd import outputs_per_code, prepare
from trainers.wae_settings import CELEB_A, DIGITS, QUICK, SETTINGS, SMALL


def build(settings, data):
    encoder, decoder = encoder_and_decoder(settings, data, outputs_per_code(settings))
    critic = networks.latent_critic(
        settings.latent_size, hidden=settings.critic_hidden, initializer=networks.small_normal
    )
    return models.WAEGAN(
        encoder,
        decoder,
        critic,
        make_prior(settings),
        cost=settings.cost,
        latent_weight=settings.latent_weight,
        add_prior_density=settings.add_prior_density,
        posterior=settings.posterior,
        seed=data.seed,
    )


def compile_model(model, settings):
    model.compile(
        generator_optimizer=make_optimizer(settings, beta_1=settings.beta_1),
        critic_optimizer=make_optimizer(settings, "critic_rate", beta_1=settings.beta_1),
        critic_steps=settings.critic_steps,
    )


RECIPE = Recipe(
    system="wae-gan",
    title="Wasserstein auto-encoder with a critic on codes",
    reference="tolstikhin2018",
    build=build,
    compile=compile_model,
    prepare=prepare,
    callbacks=pictures,
    measures=MEASURES,
    settings={  # tolstikhin/wae configs.py
        **SETTINGS,
        "critic_hidden": (512, 512, 512, 512),
        "critic_rate": 5e-4,
        "critic_steps": 1,
        "add_prior_density": False,
    },
    datasets={
        "celeb_a": {
            **CELEB_A,
            "critic_hidden": (1024, 1024, 1024, 1024),
            "critic_rate": 1e-3,
            "learning_rate": 3e-4,
            "latent_weight": 1.0,  # the paper's, from memory
            "add_prior_density": True,
        },
        "digits": SMALL,
    },
    presets={"paper": {}, "quick": {**QUICK, "latent_weight": 0.5}},  # ours: for reconstructions
    special={("digits", "quick"): DIGITS},
    tunable={"learning_rate": (1e-4, 1e-2, "log"), "latent_weight": (0.1, 100.0, "log")},
)
