"""WAE-MMD recipe."""

from tfmmd import models, optimizers
from trainers.autoencoders import MEASURES, encoder_and_decoder, make_optimizer, make_prior, pictures
from trainers.recipe import Recipe
from trainers.wae_settings import CELEB_A, DIGITS, QUICK, SETTINGS, SMALL


def build(settings, data):
    encoder, decoder = encoder_and_decoder(settings, data, outputs_per_code(settings))
    return models.WAEMMD(
        encoder,
        decoder,
        make_prior(settings),
        cost=settings.cost,
        latent_weight=settings.latent_weight,
        posterior=settings.posterior,
        shard_rows=settings.shard_rows,
        seed=data.seed,
    )


def outputs_per_code(settings):
    """Encoder outputs per entry of a code."""
    return 2 if settings.posterior == "gaussian" else 1


def prepare(model, settings, data, phases):
    """Brings the first two moments of the codes to the prior's."""
    models.match_moments(
        model,
        data.train,
        num_updates=settings.encoder_updates,
        batch_size=settings.encoder_batch_size,
        make_optimizer=lambda: optimizers.FusedAdam(settings.learning_rate, beta_1=settings.beta_1),
        seed=data.seed,
    )


def compile_model(model, settings):
    model.compile(optimizer=make_optimizer(settings, beta_1=settings.beta_1))


RECIPE = Recipe(
    system="wae-mmd",
    title="Wasserstein auto-encoder with an MMD on codes",
    reference="tolstikhin2018",
    build=build,
    compile=compile_model,
    prepare=prepare,
    callbacks=pictures,
    measures=MEASURES,
    settings={**SETTINGS, "shard_rows": False},  # ours: for many devices, see docs/distributed.md
    datasets={"celeb_a": {**CELEB_A, "latent_weight": 100.0}, "digits": SMALL},
    presets={"paper": {}, "quick": {**QUICK, "latent_weight": 3.0}},  # ours: for reconstructions
    special={("digits", "quick"): DIGITS},
    tunable={"learning_rate": (1e-4, 1e-2, "log"), "latent_weight": (1.0, 1000.0, "log")},
)
