"""Improved GAN recipe: generation without labels, every technique a setting."""

from tfmmd import models
from trainers.adversarial import collapse_alarm
from trainers.improved_players import CONV, MNIST, SETTINGS, initialize, make_optimizer, players, prior_of
from trainers.recipe import Recipe


def build(settings, data):
    generator, critic = players(settings, data, 1, reference_size=settings.reference_size)
    return models.ImprovedGAN(
        generator,
        critic,
        prior_of(settings),
        real_target=settings.real_target,
        feature_layer=settings.feature_layer,
        norm=settings.norm,
        historical_weight=settings.historical_weight,
        seed=data.seed,
    )


def compile_model(model, settings):
    model.compile(make_optimizer(settings), make_optimizer(settings), critic_steps=settings.critic_steps)


def rows_per_step(settings):
    """Rows of the critic's steps and of the generator's."""
    return (settings.critic_steps + 1) * settings.batch_size


RECIPE = Recipe(
    system="improved-gan",
    title="Improved GAN, generation",
    reference="salimans2016",
    build=build,
    compile=compile_model,
    prepare=initialize,
    rows_per_step=rows_per_step,
    callbacks=collapse_alarm,
    measures=("parzen", "inception_score", "mode_coverage"),
    settings={  # the MNIST networks of the paper's semi-supervised part; the rest is "ours"
        **SETTINGS,
        "minibatch_discrimination": True,
        "feature_layer": None,  # "features": feature matching
        "norm": "l2",
        "historical_weight": 0.0,  # the paper names no weight
        "reference_size": 0,  # rows of virtual batch norm; 0: batch norm
        "real_target": 0.9,
        "critic_steps": 1,
        "learning_rate": 3e-4,
        "steps": 60_000,
    },
    datasets={
        "mnist": MNIST,
        "cifar10": {**CONV, "reference_size": 64, "steps": 600_000},
        "svhn_cropped": {**CONV, "reference_size": 64, "critic_width": 64, "steps": 659_000},
        "digits": {"split": "train", "batch_size": 50},
    },
    presets={"paper": {}, "quick": {"steps": 20_000, "report_every": 2_000, "checkpoint_every": 2_000}},
    special={
        ("digits", "quick"): {
            "steps": 2_000,
            "critic_hidden": (250, 250, 125),
            "generator_hidden": (125, 125),
            "report_every": 500,
            "checkpoint_every": 500,
            "num_samples": 1297,
        },
    },
    tunable={"learning_rate": (1e-4, 3e-3, "log"), "historical_weight": (1e-4, 1.0, "log")},
)
