"""GMMN+AE recipe: the auto-encoder, layer by layer or with noisy codes, then the generator of its codes."""

import functools
import sys

import keras

from tfmmd import kernels, models, networks, optimizers, priors
from tfmmd.models.posteriors import ConstantVariancePosterior
from trainers import gmmn
from trainers.autoencoders import pictures
from trainers.progress import Progress
from trainers.recipe import Recipe
from trainers.schedules import optimizer_named


def build(settings, data):
    noisy, size = bool(settings.code_noise), settings.code_size
    if noisy:
        generator = networks.mlp(settings.latent_size, settings.hidden, size, name="generator")
    else:
        generator = networks.gmmn_generator(settings.latent_size, size, hidden=settings.hidden)
    return models.GMMNAutoencoder(
        (noisy_autoencoder if noisy else stacked_autoencoder)(settings, data),
        generator,
        priors.Uniform(settings.latent_size),
        kernels.Gaussian([v**0.5 for v in settings.variances]),
        space=settings.space,
        shard_rows=settings.shard_rows,
        seed=data.seed,
    )


def stacked_autoencoder(settings, data):
    """The paper's: sigmoid layers, codes in (0, 1)."""
    hidden, size = tuple(settings.autoencoder_hidden), settings.code_size
    return models.Autoencoder(
        networks.gmmn_encoder(data.sample_shape, size, hidden=hidden),
        networks.gmmn_decoder(size, data.sample_shape, hidden=hidden[::-1]),
        seed=data.seed,
    )


def noisy_autoencoder(settings, data):
    """ReLU layers and linear codes of one size, with noise on the codes in place of dropout."""
    hidden, size = tuple(settings.autoencoder_hidden), settings.code_size
    return models.Autoencoder(
        networks.standardized(networks.mlp(data.sample_shape, hidden, size, name="encoder")),
        networks.mlp(size, hidden[::-1], data.sample_shape, output_activation="sigmoid", name="decoder"),
        cost="squared",
        posterior=ConstantVariancePosterior(settings.code_noise),
        seed=data.seed,
    )


def prepare(model, settings, data, phases):
    """Trains the auto-encoder, which stays as it is from then on."""
    print("The auto-encoder first.", file=sys.stderr, flush=True)
    by_layers = settings.layerwise and not settings.code_noise
    num_layers = len(settings.autoencoder_hidden) + 1 if by_layers else 0
    updates = num_layers * settings.autoencoder_updates + settings.fine_tuning_updates
    rows = settings.autoencoder_batch_size
    shared = {
        "batch_size": rows,
        "make_optimizer": functools.partial(optimizer_of, settings),
        "callbacks": [Progress(updates, rows_per_step=rows, unit=data.unit_name)],
        "fit": phases.fit,
    }
    if settings.code_noise:
        model.pretrain_whole(data.train, num_updates=settings.fine_tuning_updates, **shared)
        return
    model.pretrain(
        data.train,
        num_updates=settings.autoencoder_updates,
        fine_tuning_updates=settings.fine_tuning_updates,
        dropout=settings.dropout,
        layerwise=settings.layerwise,
        **shared,
    )


def optimizer_of(settings, phase, num_updates):
    """The optimizer of a phase of the auto-encoder's training."""
    last = LAST_MOMENTUM.get(settings.autoencoder_optimizer)
    if last is None:
        schedule = keras.optimizers.schedules.CosineDecay(settings.autoencoder_rate, num_updates, alpha=0.01)
        return optimizer_named(settings.autoencoder_optimizer, schedule)
    momentum = 0.5
    if phase in ("fine-tuning", "whole"):
        momentum = keras.optimizers.schedules.PiecewiseConstantDecay([50, 200], [0.0, 0.5, last])
    return optimizers.MomentumSGD(settings.autoencoder_rate, momentum, global_clipnorm=10.0)


LAST_MOMENTUM = {"paper": 0.9, "paper-tfd": 0.0}  # of fine-tuning from update 200 on, for MNIST and faces

FAST = {  # ours
    "autoencoder_hidden": (500, 500),
    "code_size": 8,
    "code_noise": 0.2,
    "autoencoder_optimizer": "adam",
    "autoencoder_rate": 1e-3,
    "layerwise": False,
    "fine_tuning_updates": 11_000,
    "hidden": (256, 512, 512),
    "variances": (0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
    "batch_size": 500,
    "optimizer": "adam",
    "learning_rate": 2e-3,
    "schedule": "cosine",
}

RECIPE = Recipe(
    system="gmmn-ae",
    title="Generative moment matching network in the code space of an auto-encoder",
    reference="li2015",
    build=build,
    compile=gmmn.compile_model,
    callbacks=pictures,
    measures=("parzen", "fid", "kid", "reconstruction"),
    prepare=prepare,
    settings={  # yujiali/gmmn train.py for MNIST unless marked "ours"
        "autoencoder_hidden": (1024,),
        "code_size": 32,
        "code_noise": 0.0,  # ours: noise on codes of unit size, in place of dropout, pretraining and sigmoids
        "dropout": (0.2, 0.5),  # ours: inverted, so that inference needs no rescaling
        "layerwise": True,
        "autoencoder_updates": 3_000,
        "fine_tuning_updates": 3_000,
        "autoencoder_batch_size": 100,
        "autoencoder_optimizer": "paper",  # SGD with momentum, gradients clipped to norm 10
        "autoencoder_rate": 0.1,
        "latent_size": 10,
        "hidden": (64, 256, 256, 1024),
        "variances": (1.0,),
        "space": "code",
        "shard_rows": False,  # ours: for many devices, see docs/distributed.md
        "batch_size": 1000,
        "optimizer": "paper",
        "learning_rate": 2.0,
        "momentum": 0.9,
        "switch_step": 10_000,
        "schedule": "constant",
        "final_rate": 0.01,
        "steps": 40_000,
    },
    datasets={
        "digits": {"autoencoder_hidden": (256,), "code_size": 16, "dropout": (0.1, 0.2)},  # ours
        "toronto_face_dataset": {
            "autoencoder_hidden": (512, 512),
            "code_size": 128,
            "dropout": 0.1,
            "autoencoder_updates": 15_000,
            "fine_tuning_updates": 15_000,
            "autoencoder_optimizer": "paper-tfd",
            "variances": (1, 2, 5, 10, 20, 40),
            "learning_rate": 0.1,
            "steps": 48_000,
        },
    },
    presets={
        "paper": {},
        "quick": {**FAST, "steps": 12_000},
        "best": {**FAST, "fine_tuning_updates": 60_000, "steps": 60_000},
    },
    special={
        ("digits", "quick"): {
            "autoencoder_hidden": (256,),
            "fine_tuning_updates": 2_000,
            "steps": 2_000,
            "num_samples": 1297,
        }
    },
    tunable={"learning_rate": (1e-4, 1e-2, "log"), "batch_size": (100, 1000, "log")},
)
