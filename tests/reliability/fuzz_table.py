"""Every public entry point with arguments that it takes."""

import functools

import keras
import numpy as np

from tests import systems
from tests.reliability.fuzz import Entry
from tfmmd import (
    callbacks,
    data,
    discrepancies,
    kernels,
    layers,
    metrics,
    models,
    networks,
    objectives,
    penalties,
    priors,
)

RNG = np.random.default_rng(0)
X, Y, Z = (RNG.normal(size=(8, 3)).astype(np.float32) for _ in range(3))
IMAGES = RNG.uniform(size=(8, 4, 4, 1)).astype(np.float32)
LOGITS = RNG.normal(size=(12, 4)).astype(np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
GAUSSIAN = kernels.Gaussian((1.0, 2.0))


def consumed(dataset):
    """The first element of a dataset."""
    return next(iter(dataset.take(1)))


def of_kernels():
    settings = {
        kernels.Gaussian: {"bandwidths": (1.0, 2.0)},
        kernels.Laplacian: {"bandwidths": (1.0, 2.0)},
        kernels.RationalQuadratic: {"alphas": (0.5, 1.0)},
        kernels.InverseMultiquadric: {"scales": (1.0, 2.0)},
        kernels.Polynomial: {"degree": 3, "gamma": 0.5, "coef0": 1.0},
    }
    for cls, arguments in settings.items():
        yield Entry(f"kernels.{cls.__name__}", lambda cls=cls, **a: cls(**a)(X, Y), arguments)
    samples = {"x": X, "y": Y}
    for kernel in (GAUSSIAN, kernels.Energy(), kernels.Linear(), kernels.Polynomial(), 2.0 * GAUSSIAN):
        yield Entry(f"{type(kernel).__name__}()", kernel, samples)
    yield Entry("kernels.median_bandwidth", kernels.median_bandwidth, {**samples, "max_points": 5})
    yield Entry("kernels.saturation", kernels.saturation, {"kernel": GAUSSIAN, **samples, "threshold": 0.01})
    yield Entry("kernels.geometric_bandwidths", kernels.geometric_bandwidths, {"centre": 1.0, "num": 3})


def of_discrepancies():
    samples = {"x": X, "y": Y, "kernel": GAUSSIAN}
    d = discrepancies
    weights = {"x_weights": np.ones(8, np.float32), "y_weights": np.ones(8, np.float32)}
    mmd2 = {**samples, "estimator": "unbiased", "tile_rows": 4, "method": "auto", **weights}
    yield Entry("mmd2", d.mmd2, mmd2, cases=120)
    block = functools.partial(d.mmd2, estimator="block")
    yield Entry("mmd2 block", block, {**samples, "block_size": 2})
    yield Entry("mmd2 linear", functools.partial(d.mmd2, estimator="linear"), samples)
    yield Entry("mmd", d.mmd, samples)
    yield Entry("energy_distance", d.energy_distance, {"x": X, "y": Y, "estimator": "biased"})
    yield Entry("mmd2_and_variance", d.mmd2_and_variance, samples)
    permutation = {**samples, "num_permutations": 10, "seed": 1}
    yield Entry("permutation_test", d.permutation_test, permutation, cases=60)
    relative = {"real": X, "candidate": Y, "baseline": Z, "kernel": GAUSSIAN, "variance_floor": 1e-12}
    yield Entry("relative_test", d.relative_test, relative, cases=60)
    choice = {"x": X, "y": Y, "candidates": (GAUSSIAN,), "training_share": 0.5, "seed": 1}
    yield Entry("select_kernel", d.select_kernel, choice)


def of_metrics():
    m = metrics
    rows = {"samples": X, "test": Y, "validation": Z, "bandwidths": (0.1, 1.0)}
    yield Entry("parzen_log_likelihood", m.parzen_log_likelihood, rows)
    features = {"real": X, "fake": Y}
    kid = {**features, "num_subsets": 3, "subset_size": 4, "seed": 1}
    yield Entry("kernel_inception_distance", m.kernel_inception_distance, kid)
    fid = {**features, "num_bootstrap": 2, "seed": 1}
    yield Entry("frechet_inception_distance", m.frechet_inception_distance, fid)
    score = {"probabilities": PROBABILITIES, "num_splits": 2, "seed": 1}
    yield Entry("inception_score", m.inception_score, score)
    yield Entry("precision_recall", m.precision_recall, {**features, "k": 2})
    yield Entry("sharpness", m.sharpness, {"images": IMAGES})
    density = {"samples": X, "bandwidth": 0.5}
    yield Entry("kde_distribution", m.kde_distribution, density)
    streaming = {
        m.KernelInceptionDistance: {"num_subsets": 2, "subset_size": 3},
        m.FrechetInceptionDistance: {"num_features": 3},
        m.PrecisionRecall: {"k": 2},
    }
    for cls, arguments in streaming.items():
        yield Entry(f"{cls.__name__}", functools.partial(updated, cls), {**arguments, **features})
    scores = {"num_splits": 2, "probabilities": PROBABILITIES}
    yield Entry("InceptionScore", functools.partial(updated, m.InceptionScore), scores)


def updated(cls, **arguments):
    """A streaming metric after one update, and its result."""
    inputs = {k: arguments.pop(k) for k in ("real", "fake", "probabilities") if k in arguments}
    metric = cls(**arguments)
    metric.update_state(**inputs)
    return metric.result()


def of_priors():
    for cls, arguments in {
        priors.Uniform: {"size": 3, "low": -1.0, "high": 1.0},
        priors.Normal: {"size": 3, "scale": 1.0},
        priors.Sphere: {"size": 3},
        priors.DataMixture: {"means": X, "scales": np.abs(X) + 0.1},
    }.items():
        yield Entry(f"priors.{cls.__name__}", cls, arguments)
    yield Entry("DataMixture.log_prob", priors.DataMixture(X, np.abs(X) + 0.1).log_prob, {"codes": Y})


def of_layers():
    used = {
        layers.MinibatchDiscrimination: {"num_kernels": 2, "kernel_size": 2},
        layers.Maxout: {"units": 2, "pieces": 2},
        layers.ReferenceBatch: {"reference": Y},
        layers.VirtualBatchNormalization: {"reference_size": 3, "epsilon": 1e-5},
        layers.GaussianNoise: {"stddev": 0.1, "seed": 1},
        layers.Dropout: {"rate": 0.5, "seed": 1},
    }
    for cls, arguments in used.items():
        yield Entry(f"layers.{cls.__name__}", lambda cls=cls, **a: cls(**a)(X), arguments)
    pair = {"kernel": GAUSSIAN, "weight": 0.5, "estimator": "biased"}
    yield Entry("layers.MMDRegularizer", lambda **a: layers.MMDRegularizer(**a)([X, Y]), pair)
    wrapped = {"layer": keras.layers.Dense(2), "init_stddev": 1.0, "epsilon": 1e-6}
    yield Entry("layers.WeightNormalization", layers.WeightNormalization, wrapped)


def of_objectives():
    for cls, arguments in {
        objectives.NonSaturating: {"real_target": 0.9},
        objectives.MMD: {"kernel": GAUSSIAN},
    }.items():
        yield Entry(f"objectives.{cls.__name__}", cls, arguments)
    for cls in (penalties.WitnessGradient, penalties.GradientNorm, penalties.ActivationL2):
        yield Entry(f"penalties.{cls.__name__}", cls, {"weight": 1.0})


def of_networks():
    yield Entry("networks.mlp", networks.mlp, {"input_shape": (3,), "hidden": (4,), "output_shape": 2})
    shape = {"latent_size": 3, "output_shape": (8, 8, 1)}
    yield Entry("networks.gmmn_generator", networks.gmmn_generator, {**shape, "hidden": (4,)}, cases=20)
    dcgan = {**shape, "filters": 2, "num_stages": 2}
    yield Entry("networks.dcgan_generator", networks.dcgan_generator, dcgan, cases=20)
    critic = {"input_shape": (8, 8, 1), "output_size": 1, "filters": 2, "num_stages": 2}
    yield Entry("networks.dcgan_critic", networks.dcgan_critic, critic, cases=20)


def of_data():
    load = {
        "name": "digits",
        "split": "train",
        "value_range": (0, 1),
        "binarize": "bernoulli",
        "image_size": 4,
    }
    load |= {"seed": 1}
    yield Entry("data.load", lambda **a: consumed(data.load(**a)), load, cases=80)
    yield Entry("data.load points", lambda **a: consumed(data.load(**a)), {"name": "rings", "seed": 1})
    stream = {"x": X, "batch_size": 4, "seed": 1, "start_step": 3, "num_steps": 2}
    yield Entry("data.batches", lambda **a: consumed(data.batches(**a)), stream, cases=60)
    yield Entry("data.steps_per_epoch", data.steps_per_epoch, {"num_rows": 9, "batch_size": 2})
    labels = {"labels": np.arange(20) % 4, "num_per_class": 2, "seed": 1}
    yield Entry("data.balanced_labels", lambda **a: data.balanced_labels(*a.values()), labels)


def of_callbacks():
    c = callbacks
    yield Entry(
        "CollapseAlarm", c.CollapseAlarm, {"data": X, "num_samples": 4, "every": 1, "min_unique": 0.5}
    )
    yield Entry("DivergenceGuard", c.DivergenceGuard, {"weights_every": 1, "factor": 0.5, "max_rollbacks": 1})
    yield Entry("SampleGrid", c.SampleGrid, {"num_samples": 4, "every": 1, "value_range": (0, 1), "seed": 1})
    rates = {"real": X, "every": 5, "num_samples": 4, "window": 2, "threshold": 0.1, "factor": 0.5, "seed": 1}
    yield Entry("KIDLearningRate", c.KIDLearningRate, rates)
    evaluate = {"metrics": ("parzen",), "held_out": X, "every": 1, "num_samples": 4, "seed": 1}
    yield Entry("Evaluate", c.Evaluate, evaluate)
    yield Entry("Resume", lambda every: c.Resume("checkpoints", every), {"every": 5})


def of_models():
    for name, system in systems.SYSTEMS.items():
        yield from of_model(name, system)
    gmmn = {"generator": systems.generator(), "prior": priors.Uniform(3), "kernel": GAUSSIAN, "seed": 1}
    yield Entry("GMMN", models.GMMN, gmmn, cases=20)
    pair = {"generator": systems.generator(), "critic": systems.dense_critic(1), "prior": priors.Uniform(3)}
    yield Entry("GAN", models.GAN, {**pair, "real_target": 0.9, "generator_ema": 0.9}, cases=20)
    yield Entry("WGANGP", models.WGANGP, pair, cases=20)
    yield Entry("CramerGAN", models.CramerGAN, pair, cases=20)
    mmd_gan = {**pair, "kernel": GAUSSIAN, "penalty_weight": 1.0}
    yield Entry("MMDGAN", models.MMDGAN, mmd_gan, cases=20)
    coders = {"encoder": systems.encoder(), "decoder": systems.decoder()}
    yield Entry(
        "WAEMMD", models.WAEMMD, {**coders, "prior": priors.Normal(3), "latent_weight": 1.0}, cases=20
    )
    yield Entry("GAE", models.GAE, {**coders, "lambda1": 1.0, "num_draws": 1, "num_components": 8}, cases=20)
    yield Entry("VAE", models.VAE, {**coders, "warmup_steps": 3}, cases=20)


def of_model(name, system):
    model = system.build()
    system.compile(model)
    yield Entry(f"{name}.sample", model.sample, {"num_samples": 2, "seed": 1}, cases=12)
    yield Entry(f"{name}.sample(seeds=)", model.sample, {"seeds": (1, 2)}, cases=8)
    fitted = {"x": systems.digits(8)}
    if not system.labelled:
        yield Entry(f"{name}.fit", functools.partial(fit, model), fitted, cases=8)
    if hasattr(model, "encode"):
        yield Entry(f"{name}.encode", model.encode, {"x": systems.digits(4)}, cases=10)
        yield Entry(f"{name}.reconstruct", model.reconstruct, {"x": systems.digits(4)}, cases=8)
    latent = {"latent": RNG.normal(size=(4, model.latent_size)).astype(np.float32)}
    yield Entry(f"{name}.decode", lambda latent: model.decode(latent), latent, cases=10)


def fit(model, x):
    """Checks the data of `fit`, and stops before the first step."""
    stop = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: (_ for _ in ()).throw(Begun()))
    try:
        model.fit(x, batch_size=4, verbose=0, callbacks=[stop])
    except Begun:
        return


class Begun(Exception):
    """Training would have begun: the data were taken."""


GROUPS = {
    "kernels": of_kernels,
    "discrepancies": of_discrepancies,
    "metrics": of_metrics,
    "priors": of_priors,
    "layers": of_layers,
    "objectives": of_objectives,
    "networks": of_networks,
    "data": of_data,
    "callbacks": of_callbacks,
    "models": of_models,
}
