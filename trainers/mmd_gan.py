"""MMD GAN recipe."""

from tfmmd import checks, kernels, models, priors
from trainers import adversarial
from trainers.recipe import Recipe


def kernel_for(settings):
    """The kernel of `settings.kernel`: rq*, rq, rbf, distance or linear."""
    makers = {
        "rq*": lambda: kernels.RationalQuadratic(settings.alphas) + settings.dot_weight * kernels.Linear(),
        "rq": lambda: kernels.RationalQuadratic(settings.alphas),
        "rbf": lambda: kernels.Gaussian(settings.bandwidths),
        "distance": kernels.Energy,
        "linear": kernels.Linear,
    }
    return makers[checks.one_of("kernel", settings.kernel, makers)]()


def build(settings, data):
    return models.MMDGAN(
        adversarial.generator(settings, data),
        adversarial.critic(settings, data, settings.critic_size),
        priors.Uniform(settings.latent_size),
        kernel_for(settings),
        penalty_weight=settings.penalty_weight,
        activation_weight=settings.activation_weight,
        shard_rows=settings.shard_rows,
        generator_ema=settings.generator_ema,
        seed=data.seed,
    )


RECIPE = Recipe(
    system="mmd-gan",
    title="MMD GAN",
    reference="binkowski2018",
    build=build,
    compile=adversarial.compile_model,
    callbacks=adversarial.watchers,
    rows_per_step=adversarial.rows_per_step,
    settings={
        **adversarial.SETTINGS,
        "kernel": "rq*",
        "alphas": (0.2, 0.5, 1.0, 2.0, 5.0),  # the paper; the released code has 0.1, 1, 10
        "dot_weight": 1.0,  # all shipped scripts
        "bandwidths": (2.0, 5.0, 10.0, 20.0, 40.0, 80.0),
        "critic_size": 16,
        "penalty_weight": 1.0,
        "activation_weight": 1.0,
        "shard_rows": False,  # ours: for many devices, see docs/distributed.md
    },
    datasets=adversarial.DATASETS,
    presets={"paper": adversarial.PAPER, "quick": adversarial.QUICK},
    special={("digits", "quick"): adversarial.DIGITS_QUICK},
    measures=adversarial.MEASURES,
    tunable=adversarial.TUNABLE,
)
