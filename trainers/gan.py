"""GAN recipe: the original networks of MNIST, or DCGAN.

Ours beside the source: every player's step has fresh rows and noise, where the source moves both on one batch; the
training rows are those of the split, where the source has the first 50 000.
"""

import keras

from tfmmd import checks, models, networks, optimizers, priors
from trainers import adversarial
from trainers.recipe import Recipe

NETWORKS = ("maxout", "dcgan", "dcgan-maxout")  # the last: the generator of DCGAN, the critic of maxout


def build_generator(settings, data):
    """The generator of `settings.network`."""
    if checks.one_of("network", settings.network, NETWORKS) != "maxout":
        return adversarial.generator(settings, data)
    return networks.maxout_gan_generator(
        settings.latent_size,
        data.sample_shape,
        hidden=settings.generator_hidden,
        mean_sample=data.train.mean(axis=0),
    )


def build_critic(settings, data):
    """The critic of `settings.network`."""
    if settings.network == "dcgan":
        return networks.dcgan_critic(
            data.sample_shape,
            1,
            filters=settings.critic_filters,
            num_stages=settings.critic_stages,
            batch_norm=True,
        )
    return networks.maxout_gan_critic(
        data.sample_shape,
        units=settings.critic_units,
        pieces=settings.critic_pieces,
        pixel_dropout=settings.pixel_dropout,
        hidden_dropout=settings.hidden_dropout,
        seed=data.seed,
    )


def build(settings, data):
    return models.GAN(
        build_generator(settings, data),
        build_critic(settings, data),
        priors.Uniform(settings.latent_size, -settings.latent_bound, settings.latent_bound),
        real_target=settings.real_target,
        generator_ema=settings.generator_ema,
        seed=data.seed,
    )


def make_optimizer(settings, steps_each=1):
    """The paper's SGD with a falling rate and a rising momentum, or Adam."""
    if settings.optimizer == "adam":
        return adversarial.adam(settings, steps_each)
    rate = keras.optimizers.schedules.ExponentialDecay(settings.learning_rate, 1, settings.rate_decay)
    start, stop = settings.momentum
    return optimizers.MomentumSGD(rate, optimizers.LinearRamp(start, stop, settings.momentum_steps))


def compile_model(model, settings):
    model.compile(
        generator_optimizer=make_optimizer(settings),
        critic_optimizer=make_optimizer(settings, settings.critic_steps),
        critic_steps=settings.critic_steps,
        initial_critic_steps=settings.initial_critic_steps,
        clip_norm=settings.clip_norm,
    )


ADAM = {"optimizer": "adam", "learning_rate": 2e-4}

DCGAN = {**ADAM, "network": "dcgan", "latent_size": 100, "latent_bound": 1.0, "batch_size": 64}  # ours

RECIPE = Recipe(
    system="gan",
    title="Generative adversarial network",
    reference="goodfellow2014",
    build=build,
    compile=compile_model,
    callbacks=adversarial.watchers,
    rows_per_step=adversarial.rows_per_step,
    settings={  # goodfeli/adversarial mnist.yaml unless marked "ours"
        **adversarial.SETTINGS,  # of DCGAN's networks only
        "network": "maxout",
        "latent_size": 100,
        "latent_bound": 3.0**0.5,  # unit variance
        "generator_hidden": (1200, 1200),
        "critic_units": 240,
        "critic_pieces": 5,
        "pixel_dropout": 0.2,
        "hidden_dropout": 0.5,
        "real_target": 1.0,
        "critic_steps": 1,
        "batch_size": 100,
        "clip_norm": None,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "rate_decay": 1 / 1.000004,
        "momentum": (0.5, 0.7),
        "momentum_steps": 125_000,  # 250 epochs of 50 000 images
        "steps": 125_000,  # ours
    },
    datasets={
        "cifar10": DCGAN,
        "celeb_a": {**DCGAN, "image_size": 64},
        "lsun/bedroom": {**DCGAN, "image_size": 64},
        "digits": {"latent_size": 20, "generator_hidden": (200, 200), "critic_units": 60},  # ours
    },
    presets={
        "paper": {},
        "quick": {**ADAM, "generator_ema": 0.999, "steps": 20_000},  # ours
        "best": {  # ours: a generator of convolutions has less noise in single pixels; less dropout, a stronger critic
            **ADAM,
            "network": "dcgan-maxout",
            "latent_size": 10,
            "generator_filters": 32,
            "generator_stages": 3,
            "pixel_dropout": 0.1,
            "hidden_dropout": 0.25,
            "generator_ema": 0.999,
            "learning_rate": 1e-3,
            "beta_2": 0.999,
            "schedule": "cosine",
            "steps": 50_000,
        },
    },
    special={("digits", "quick"): {"learning_rate": 2e-3, "steps": 4_000, "num_samples": 1297}},
    measures=adversarial.MEASURES,
    tunable={"learning_rate": (1e-5, 1e-2, "log"), "real_target": (0.7, 1.0, "linear")},
)
