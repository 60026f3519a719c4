"""AAE recipe."""

import math

from tfmmd import checks, models, networks
from tfmmd.models.posteriors import ConstantVariancePosterior
from trainers.autoencoders import MEASURES, encoder_and_decoder, make_optimizer, make_prior, pictures
from trainers.recipe import Recipe

FALLING = ("cosine", "exponential")  # schedules that end at a share of the first rate


def build(settings, data):
    encoder, decoder = encoder_and_decoder(settings, data)
    critic = networks.latent_critic(
        settings.latent_size,
        hidden=settings.critic_hidden,
        initializer=networks.small_normal if settings.small_initial_weights else None,
    )
    options = {"cost": settings.cost, "seed": data.seed}
    if settings.code_noise:
        options["posterior"] = ConstantVariancePosterior(settings.code_noise)
        encoder = networks.standardized(encoder, code_scale(settings))
    return models.AAE(encoder, decoder, critic, make_prior(settings), **options)


def code_scale(settings):
    """The standard deviation of codes that has the normal prior's once noise is added."""
    noise, scale = settings.code_noise, settings.prior_scale
    if settings.prior != "normal" or noise >= scale:
        checks.fail(
            "`code_noise` needs a normal prior wider than the noise.",
            f"code_noise={noise}, prior={settings.prior!r}, prior_scale={scale}",
            "Use a quarter of `prior_scale`, or code_noise=0 with another prior.",
        )
    return math.sqrt(scale**2 - noise**2)


def _adversarial_final(settings):
    """`settings.adversarial_final_rate`, which needs a schedule with a rate at the end."""
    final = settings.adversarial_final_rate
    if final is not None and settings.schedule not in FALLING:
        checks.fail(
            f"`adversarial_final_rate` needs a schedule of {FALLING}.",
            f"adversarial_final_rate={final}, schedule={settings.schedule!r}",
            "Name such a schedule, or leave the setting None.",
        )
    return final


def compile_model(model, settings):
    def optimizer(name, momentum, final=None):
        momentum = {"momentum": momentum} if settings.optimizer == "sgd" else {"beta_1": settings.beta_1}
        return make_optimizer(settings, name, final=final, **momentum)

    adversarial = settings.critic_momentum, _adversarial_final(settings)
    model.compile(
        generator_optimizer=optimizer("learning_rate", settings.momentum),
        critic_optimizer=optimizer("critic_rate", *adversarial),
        encoder_optimizer=optimizer("encoder_rate", *adversarial),
        critic_steps=settings.critic_steps,
    )


QUICK = {  # ours
    "hidden": (500, 500),
    "critic_hidden": (500, 500),
    "small_initial_weights": False,
    "prior_scale": 1.0,
    "code_noise": 0.25,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "critic_rate": 1e-3,
    "encoder_rate": 3e-4,
    "schedule": "cosine",
    "final_rate": 0.04,
    "adversarial_final_rate": 0.25,  # at the end codes are matched at a higher rate than images
    "steps": 40_000,
}

RECIPE = Recipe(
    system="aae",
    title="Adversarial auto-encoder",
    reference="makhzani2015",
    build=build,
    compile=compile_model,
    callbacks=pictures,
    measures=MEASURES,
    settings={  # Makhzani et al. 2015, appendix on likelihoods, unless marked "ours"
        "network": "dense",
        "hidden": (1000, 1000),
        "critic_hidden": (1000, 1000),
        "small_initial_weights": True,  # N(0, 0.01**2)
        "latent_size": 8,
        "prior": "normal",
        "prior_scale": 5.0,
        "cost": "squared",
        "code_noise": 0.0,  # ours: with noise on the codes, their variance and its own add up to the prior's
        "critic_steps": 1,
        "batch_size": 100,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "critic_rate": 0.1,
        "encoder_rate": 0.1,  # of the encoder's adversarial step
        "critic_momentum": 0.1,
        "beta_1": 0.5,  # of Adam; ours
        "schedule": "stepwise",
        "rate_switches": (50 / 1100, 1000 / 1100),  # after 50 and 1000 epochs
        "rate_factors": (0.1, 0.1),
        "final_rate": 0.01,
        "adversarial_final_rate": None,  # ours: as final_rate, of critic_rate and encoder_rate; None is final_rate
        "steps": 605_000,  # ours: 1100 epochs of MNIST; the paper gives no end
    },
    # on faces the output's sigmoid is ours; the paper's is linear there
    datasets={"toronto_face_dataset": {"latent_size": 15, "prior_scale": 10.0}},
    presets={
        "paper": {},
        "quick": QUICK,
        "best": {**QUICK, "hidden": (1000, 1000), "code_noise": 0.2, "steps": 120_000},  # ours
    },
    special={("digits", "quick"): {"steps": 2_000, "hidden": (200, 200), "num_samples": 1297}},
    tunable={
        "learning_rate": (1e-4, 1e-2, "log"),
        "critic_rate": (1e-4, 1e-2, "log"),
        "encoder_rate": (1e-4, 1e-2, "log"),
    },
)
