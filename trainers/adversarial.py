"""What the recipes of the adversarial family share: networks by name, optimizers, the KID scheduler."""

from pathlib import Path

from tfmmd import callbacks, checks, networks, optimizers
from tfmmd.metrics import features
from trainers import lenet
from trainers.schedules import learning_rate

GENERATORS = ("dcgan", "resnet")
EXTRACTORS = ("lenet", "pixels")

SETTINGS = {  # mbinkowski/MMD-GAN gan/main.py and its scripts unless marked "ours"
    "latent_size": 100,
    "generator": "dcgan",
    "generator_filters": 64,
    "generator_stages": 4,
    "generator_ema": None,
    "critic_filters": 64,
    "critic_stages": 4,
    "critic_steps": 5,
    "initial_critic_steps": 0,
    "batch_size": 64,  # rows of one step of one player
    "learning_rate": 1e-4,
    "schedule": "constant",
    "final_rate": 0.01,
    "beta_1": 0.5,
    "beta_2": 0.9,
    "clip_norm": 1.0,
    "kid_schedule": False,  # the scripts as shipped run at a constant rate
    "kid_extractor": "lenet",
    "kid_every": 2_000,
    "steps": 150_000,
}

DATASETS = {
    "mnist": {"steps": 50_000, "kid_every": 500},
    "cifar10": {},
    "celeb_a": {"image_size": 160, "generator": "resnet", "critic_stages": 5},
    "lsun/bedroom": {"image_size": 64},
    "digits": {"latent_size": 20, "generator_filters": 32, "generator_stages": 2, "critic_stages": 2},  # ours
}

PAPER = {"kid_schedule": True}  # the paper's text: rates by the three-sample test

QUICK = {  # ours: the study of small critics, on 2 cores
    "generator_filters": 32,
    "critic_filters": 16,
    "generator_ema": 0.999,
    "learning_rate": 2e-4,
    "steps": 6_000,
}

DIGITS_QUICK = {"steps": 2_000, "num_samples": 1297, "report_every": 250}  # ours

MEASURES = ("parzen", "kid", "fid", "inception_score")

TUNABLE = {
    "learning_rate": (1e-5, 1e-3, "log"),
    "critic_filters": (8, 64, "log"),
    "penalty_weight": (0.1, 10.0, "log"),
}


def generator(settings, data):
    """The generator of the settings, for the data's sample shape."""
    options = {"filters": settings.generator_filters}
    if checks.one_of("generator", settings.generator, GENERATORS) == "resnet":
        return networks.resnet_generator(settings.latent_size, data.sample_shape, **options)
    options["num_stages"] = settings.generator_stages
    return networks.dcgan_generator(settings.latent_size, data.sample_shape, **options)


def critic(settings, data, output_size):
    """The DCGAN critic of the settings, for the data's sample shape."""
    return networks.dcgan_critic(
        data.sample_shape, output_size, filters=settings.critic_filters, num_stages=settings.critic_stages
    )


def adam(settings, steps_each=1):
    """A new Adam for a player that takes `steps_each` steps to one of the generator."""
    rate = learning_rate(settings, steps=settings.steps * steps_each)
    return optimizers.FusedAdam(rate, settings.beta_1, settings.beta_2)


def compile_model(model, settings):
    model.compile(
        generator_optimizer=adam(settings),
        critic_optimizer=adam(settings, settings.critic_steps),
        critic_steps=settings.critic_steps,
        initial_critic_steps=settings.initial_critic_steps,
        clip_norm=settings.clip_norm,
    )


def rows_per_step(settings):
    """Fresh rows for every step of both players."""
    return (settings.critic_steps + 1) * settings.batch_size


def watchers(settings, data):
    """`collapse_alarm`, and the learning rate scheduler where the settings ask for one: a recipe's `callbacks`."""
    return [*collapse_alarm(settings, data), *kid_scheduler(settings, data)]


def collapse_alarm(settings, data):
    """An alarm that looks at samples at every report, as a list; for half of a run variety may still be to come."""
    reports = settings.steps // settings.report_every
    return [callbacks.CollapseAlarm(data.train, warmup=max(1, reports // 2))]


def kid_scheduler(settings, data):
    """The learning rate scheduler, where the settings ask for one, as a list of callbacks."""
    if not settings.kid_schedule:
        return []
    return [
        callbacks.KIDLearningRate(
            data.train,
            extractor(settings, data),
            every=settings.kid_every,
            num_samples=min(2048, len(data.train)),
            seed=data.seed,
        )
    ]


def extractor(settings, data):
    """The features that the scheduler judges by: the dataset's LeNet, or pixels (None)."""
    if checks.one_of("kid_extractor", settings.kid_extractor, EXTRACTORS) == "pixels":
        return None
    path = Path(settings.get("features") or lenet.default_path(data.dataset))
    if not path.exists():
        checks.fail(
            "The learning rate scheduler needs a feature extractor.",
            f"no {path}",
            f"Run `python -m trainers run lenet --dataset {data.dataset}`, or --set kid_extractor=pixels.",
        )
    return features.lenet_features(path)
