"""The public names and their arguments are a contract."""

import inspect

import pytest

import tfmmd
from tfmmd import callbacks, data, discrepancies, kernels, metrics, models

NAMES = {
    kernels: "Gaussian Laplacian RationalQuadratic InverseMultiquadric Energy Linear Polynomial median_bandwidth",
    discrepancies: "mmd2 mmd energy_distance mmd2_and_variance permutation_test relative_test",
    models: (
        "GMMN GMMNAutoencoder VAE AAE WAEMMD WAEGAN GAE GAN WGANGP CramerGAN MMDGAN ImprovedGAN SemiSupervisedGAN"
    ),
    metrics: (
        "ParzenLogLikelihood KernelInceptionDistance FrechetInceptionDistance InceptionScore PrecisionRecall "
        "parzen_log_likelihood sampled_log_likelihood importance_log_likelihood kernel_inception_distance "
        "frechet_inception_distance inception_score kde_distribution"
    ),
    callbacks: "SampleGrid Evaluate KIDLearningRate CollapseAlarm DivergenceGuard Resume",
    data: "load",
}
SIGNATURES = {
    kernels.Gaussian: "bandwidths=(1.0,)",
    kernels.Laplacian: "bandwidths",
    kernels.RationalQuadratic: "alphas=(0.2, 0.5, 1.0, 2.0, 5.0)",
    kernels.InverseMultiquadric: "scales=(1.0,)",
    kernels.Polynomial: "degree=3 gamma=None coef0=1.0",
    kernels.median_bandwidth: "x y=None *max_points=1000",
    discrepancies.mmd2: "x y kernel *estimator='unbiased' *block_size=None *tile_rows=None",
    discrepancies.mmd: "x y kernel",
    discrepancies.energy_distance: "x y",
    discrepancies.mmd2_and_variance: "x y kernel",
    discrepancies.permutation_test: "x y kernel *num_permutations=1000 *seed=None",
    discrepancies.relative_test: "real candidate baseline kernel",
    models.GMMN: "generator prior kernel=None",
    models.GMMNAutoencoder: "autoencoder generator prior kernel=None",
    models.VAE: "encoder decoder",
    models.AAE: "encoder decoder critic prior",
    models.WAEGAN: "encoder decoder critic prior",
    models.WAEMMD: "encoder decoder prior kernel=None",
    models.GAE: "encoder decoder",
    models.GAN: "generator critic prior",
    models.WGANGP: "generator critic prior",
    models.CramerGAN: "generator critic prior",
    models.MMDGAN: "generator critic prior kernel=None",
    metrics.parzen_log_likelihood: "samples test validation *bandwidths=None",
    metrics.KernelInceptionDistance: "num_subsets=100 subset_size=1000",
    metrics.FrechetInceptionDistance: "num_features",
    metrics.InceptionScore: "num_splits=10",
    metrics.PrecisionRecall: "k",
    metrics.kde_distribution: "samples bandwidth",
    data.load: "name split value_range=(0, 1) binarize=None",
}
ALL_MODELS = [getattr(models, name) for name in NAMES[models].split()]


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in NAMES.items() for n in names.split()])
def test_the_name_is_public(module, name):
    assert name in module.__all__ and getattr(module, name).__doc__


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda f: f.__name__)
def test_the_arguments_have_their_names_order_and_defaults(function):
    parameters = list(inspect.signature(function).parameters.values())
    keyword_only = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
    positional = iter(parameters)
    for word in (
        SIGNATURES[function].split(" ") if "(" not in SIGNATURES[function] else _words(SIGNATURES[function])
    ):
        name, _, default = word.lstrip("*").partition("=")
        parameter = keyword_only[name] if word.startswith("*") else next(positional)
        assert parameter.name == name
        if default:
            assert parameter.default == eval(default)


@pytest.mark.parametrize("model", ALL_MODELS, ids=lambda m: m.__name__)
def test_every_model_samples_by_number_and_seed_or_by_seeds(model):
    parameters = inspect.signature(model.sample).parameters
    assert list(parameters)[1:3] == ["num_samples", "seed"] and "seeds" in parameters


@pytest.mark.parametrize("model", ALL_MODELS, ids=lambda m: m.__name__)
def test_settings_of_a_model_are_keyword_only(model):
    first = SIGNATURES.get(model, "generator critic prior").split()
    positional = [
        p.name
        for p in inspect.signature(model).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    assert positional == [word.partition("=")[0] for word in first]


def test_the_top_module_reaches_every_room():
    assert set("kernels discrepancies models metrics callbacks data priors networks layers".split()) <= set(
        dir(tfmmd)
    )


def _words(text):
    """Splits at spaces outside of brackets."""
    words, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == " " and not depth:
            words.append("")
        else:
            words[-1] += letter
    return words
