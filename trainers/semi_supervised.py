"""Semi-supervised recipe: MNIST with a permutation-invariant MLP, CIFAR-10 and SVHN with convolutions."""

import numpy as np

from tfmmd import data as datasets
from tfmmd import models
from trainers.adversarial import collapse_alarm
from trainers.improved_players import CONV, MNIST, SETTINGS, initialize, make_optimizer, players, prior_of
from trainers.recipe import Recipe


def labels_of(data):
    """Labels `[n]` of the training rows."""
    return data.load(data.settings.split, with_labels=True)[1]


def labelled_rows(data, y):
    """Which training rows, of labels `y` `[n]`, the run sees with their labels: indices `[m]`."""
    settings = data.settings
    seed = data.seed if settings.label_seed is None else settings.label_seed
    return datasets.balanced_labels(y, settings.labels_per_class, seed)


def build(settings, data):
    y = labels_of(data)
    labelled_rows(data, y)  # refused here, before a run folder is made
    generator, critic = players(settings, data, num_outputs=int(np.max(y)) + 1)
    return models.SemiSupervisedGAN(
        generator,
        critic,
        prior_of(settings),
        feature_layer=settings.feature_layer,
        norm=settings.norm,
        unlabelled_weight=settings.unlabelled_weight,
        average_decay=settings.average_decay,
        seed=data.seed,
    )


def compile_model(model, settings):
    model.compile(make_optimizer(settings), make_optimizer(settings))


def batches(data, settings, start_step):
    """Labelled rows, and two streams of all rows as unlabelled ones."""
    y = labels_of(data)
    rows = labelled_rows(data, y)
    return datasets.semi_supervised_batches(
        (data.train[rows], y[rows]),
        data.train,
        settings.batch_size,
        seed=data.seed,
        num_unlabelled=2,
        start_step=start_step,
    )


RECIPE = Recipe(
    system="semi-supervised",
    title="Improved GAN, semi-supervised classification",
    reference="salimans2016",
    build=build,
    compile=compile_model,
    prepare=initialize,
    batches=batches,
    callbacks=collapse_alarm,
    measures=("test_errors",),
    settings={
        **SETTINGS,
        "labels_per_class": 10,  # 100 labels on MNIST
        "label_seed": None,  # None: the run's seed
        "feature_layer": "features",
        "norm": "l2",
        "unlabelled_weight": 1.0,
        "average_decay": 0.9999,
        "steps": 180_000,  # 300 epochs of 600 steps
    },
    datasets={
        "mnist": MNIST,
        "cifar10": {**CONV, "norm": "l1", "labels_per_class": 400, "steps": 600_000},
        "svhn_cropped": {
            **CONV,
            "norm": "l1",
            "labels_per_class": 100,
            "critic_width": 64,
            "steps": 659_000,
        },
        "digits": {"split": "train", "labels_per_class": 5, "batch_size": 50},  # ours
    },
    presets={
        "paper": {},
        "quick": {  # ours: narrow networks, and a third of the steps with a falling rate
            "critic_hidden": (250, 250, 250, 250, 250),
            "generator_hidden": (250, 250),
            "steps": 60_000,
            "schedule": "linear-tail",
            "tail": 0.3,
            "average_decay": 0.999,
        },
        "best": {  # ours: less than half of the steps, and a rate that falls from step 48 000 on
            "steps": 80_000,
            "schedule": "linear-tail",
            "tail": 0.4,
            "average_decay": 0.999,
        },
    },
    special={
        ("digits", "quick"): {
            "steps": 1_500,
            "critic_hidden": (250, 250, 125),
            "generator_hidden": (125, 125),
            "report_every": 500,
            "checkpoint_every": 500,
            "average_decay": 0.99,
        },
    },
    tunable={"learning_rate": (3e-4, 1e-2, "log"), "unlabelled_weight": (0.3, 3.0, "log")},
)
