"""VAE recipe."""

from tfmmd import models, priors
from trainers.autoencoders import MEASURES, encoder_and_decoder, pictures
from trainers.recipe import Recipe
from trainers.schedules import make_optimizer


def build(settings, data):
    encoder, decoder = encoder_and_decoder(settings, data, outputs_per_code=2)
    return models.VAE(
        encoder,
        decoder,
        prior=priors.Normal(settings.latent_size),
        likelihood=settings.likelihood,
        scale=settings.scale,
        kl_weight=settings.kl_weight,
        warmup_steps=settings.warmup_steps,
        seed=data.seed,
    )


def compile_model(model, settings):
    model.compile(optimizer=make_optimizer(settings))


def binary(layers):
    """Settings for the rows beside GAE: its networks and steps on images cut at 1/2, and its measures; ours."""
    return {
        **{"binarize": "threshold", "hidden": (500,) * layers, "activation": "relu", "latent_size": 10},
        **{
            "batch_size": 200,
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "steps": 5_500,
        },
        **{"measures": ("log_likelihood",), "importance_rows": 1_000},
    }


RECIPE = Recipe(
    system="vae",
    title="Variational auto-encoder",
    reference="kingma2013",
    build=build,
    compile=compile_model,
    callbacks=pictures,
    measures=MEASURES,
    # Kingma, Welling 2013, section 5, unless marked "ours"; initial weights are Glorot uniform and do not decay,
    # those of the paper start at N(0, 0.01) and do
    settings={
        "network": "dense",
        "hidden": (500,),
        "activation": "tanh",
        "latent_size": 20,  # among 3, 5, 10, 20, 200 of the paper
        "likelihood": "bernoulli",
        "scale": 1.0,
        "kl_weight": 1.0,
        "warmup_steps": 0,
        "batch_size": 100,
        "optimizer": "adagrad",
        "learning_rate": 0.02,  # among 0.01, 0.02, 0.1 of the paper
        "schedule": "constant",
        "final_rate": 0.03,
        "steps": 55_000,  # ours: 100 epochs of MNIST
        "measures": None,  # those below
        "importance_rows": 10_000,  # test rows of importance sampling
    },
    presets={
        "paper": {},
        "quick": {  # ours: the bound itself, of a density on grey images; 311 nats Parzen on MNIST
            "likelihood": "gaussian",
            "scale": 0.55,  # 0.5 to 0.6 score best; from 0.8 on reconstructions blur and the score falls
            "hidden": (500, 500),
            "activation": "relu",
            "latent_size": 8,
            "batch_size": 200,
            "optimizer": "adam",
            "learning_rate": 2e-3,
            "schedule": "cosine",
            "steps": 5_500,
        },
        **{f"binary-{layers}": binary(layers) for layers in (1, 2, 3, 4)},
    },
    special={("digits", "quick"): {"steps": 3_000, "batch_size": 100, "num_samples": 1297}},
    tunable={"learning_rate": (1e-4, 1e-2, "log"), "kl_weight": (0.25, 4.0, "log")},
)
