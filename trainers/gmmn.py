"""GMMN recipe."""

import keras

from tfmmd import kernels, models, networks, optimizers, priors
from trainers.recipe import Recipe
from trainers.schedules import make_optimizer

MEDIAN_FRACTIONS = (
    1 / 50,
    1 / 20,
    1 / 10,
    1 / 5,
    2 / 5,
    4 / 5,
)  # of the median squared distance: the MNIST list


def kernel_for(settings, data):
    """The Gaussian mixture of the settings' variances, or of the data's median squared distance."""
    variances = settings.variances
    if variances == "median":
        median = float(kernels.median_bandwidth(data.train.reshape(len(data.train), -1))) ** 2
        variances = [median * fraction for fraction in MEDIAN_FRACTIONS]
    return kernels.Gaussian([v**0.5 for v in variances])


def build(settings, data):
    generator = networks.gmmn_generator(settings.latent_size, data.sample_shape, hidden=settings.hidden)
    return models.GMMN(
        generator, priors.Uniform(settings.latent_size), kernel_for(settings, data), seed=data.seed
    )


def compile_model(model, settings):
    if settings.optimizer != "paper":
        return model.compile(make_optimizer(settings))
    switch, rate, momentum = settings.switch_step, settings.learning_rate, settings.momentum
    constant = keras.optimizers.schedules.PiecewiseConstantDecay
    optimizer = optimizers.MomentumSGD(
        constant([switch], [rate, rate / 10]), constant([switch], [momentum, 1 - (1 - momentum) / 10])
    )
    return model.compile(optimizer)


RECIPE = Recipe(
    system="gmmn",
    title="Generative moment matching network",
    reference="li2015",
    build=build,
    compile=compile_model,
    settings={  # yujiali/gmmn train.py unless marked "ours"
        "latent_size": 10,
        "hidden": (64, 256, 256, 1024),
        "variances": "median",  # ours: for data other than the paper's
        "batch_size": 1000,
        "optimizer": "paper",  # SGD with classical momentum, both switched at `switch_step`
        "learning_rate": 2.0,
        "momentum": 0.9,
        "switch_step": 10_000,
        "schedule": "constant",
        "final_rate": 0.01,
        "steps": 40_000,
    },
    datasets={
        "mnist": {"variances": (2, 5, 10, 20, 40, 80)},
        "toronto_face_dataset": {"variances": (5, 10, 20, 40, 80, 160), "steps": 48_000},
    },
    presets={
        "paper": {},
        "quick": {  # ours: half of the batch, Adam; 164 nats on MNIST
            "optimizer": "adam",
            "learning_rate": 2e-3,
            "batch_size": 500,
            "steps": 12_000,
        },
        "best": {  # ours: the same, with a long cosine decay; 182 nats on MNIST
            "optimizer": "adam",
            "learning_rate": 2e-3,
            "batch_size": 500,
            "schedule": "cosine",
            "steps": 30_000,
        },
    },
    special={
        ("digits", "quick"): {"steps": 2_000, "batch_size": 500, "schedule": "cosine", "num_samples": 1000}
    },
    tunable={"learning_rate": (1e-4, 1e-2, "log"), "batch_size": (100, 1000, "log")},
)
