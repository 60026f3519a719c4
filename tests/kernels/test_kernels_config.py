"""Settings: round trips, what is refused, and the choice of bandwidths."""

import keras
import numpy as np
import pytest

from tests import harness, systems
from tfmmd import kernels, layers, models, networks, priors

X, Y = harness.samples(40, 30)


@pytest.mark.parametrize("kernel", harness.ALL_KERNELS, ids=repr)
def test_the_config_makes_the_same_kernel(kernel):
    again = harness.round_trip(kernel)
    assert repr(again) == repr(kernel)
    np.testing.assert_array_equal(again(X, Y), kernel(X, Y))


def test_a_kernel_on_features_comes_back_with_its_network():
    network = keras.Sequential([keras.Input([3]), keras.layers.Dense(2, kernel_initializer="ones")])
    kernel = kernels.OnFeatures(kernels.Gaussian(), network) + kernels.Linear()
    np.testing.assert_allclose(harness.round_trip(kernel)(X, Y), kernel(X, Y))


HOLDERS = {
    "GMMN": lambda kernel: models.GMMN(systems.generator(), priors.Uniform(systems.CODE), kernel),
    "WAEMMD": lambda kernel: models.WAEMMD(
        systems.encoder(), systems.decoder(), priors.Normal(systems.CODE), kernel
    ),
    "GMMNAutoencoder": lambda kernel: models.GMMNAutoencoder(
        (systems.encoder(), systems.decoder()),
        networks.gmmn_generator(4, systems.CODE, hidden=(4,)),
        priors.Uniform(4),
        kernel,
    ),
    "MMDGAN": lambda kernel: models.MMDGAN(
        systems.generator(), systems.dense_critic(64), priors.Uniform(systems.CODE), kernel
    ),
    "MMDRegularizer": lambda kernel: regularized(layers.MMDRegularizer(kernel)),
}


def regularized(layer):
    inputs = [keras.Input([3]), keras.Input([3])]
    return keras.Model(inputs, layer(inputs))


def held(kind):
    """A model that holds a kernel on a random network, and the network."""
    rows = 3 if kind in ("MMDRegularizer", "GMMNAutoencoder", "WAEMMD") else 64
    network = keras.Sequential([keras.Input([rows]), keras.layers.Dense(2)])
    return HOLDERS[kind](0.5 * kernels.OnFeatures(kernels.Gaussian(), network) + kernels.Linear()), network


@pytest.mark.parametrize("kind", HOLDERS)
def test_what_holds_a_kernel_saves_its_network(kind, tmp_path):
    model, network = held(kind)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    holder = loaded.layers[-1] if kind == "MMDRegularizer" else loaded
    (again,) = holder.kernel.networks()
    harness.assert_close(again.get_weights(), network.get_weights(), 0.0)


@pytest.mark.parametrize("kind", HOLDERS)
def test_the_network_of_a_kernel_is_no_part_of_what_trains(kind):
    model, network = held(kind)
    assert not {id(v) for v in network.weights} & {id(v) for v in model.trainable_variables}


def test_a_kernel_passes_through_deserialize():
    kernel = kernels.Energy()
    assert kernels.deserialize(kernel) is kernel


def test_an_unknown_name_is_answered_with_the_nearest():
    config = {
        **kernels.serialize(kernels.Gaussian()),
        "class_name": "Gausian",
        "registered_name": "tfmmd>Gausian",
    }
    with pytest.raises(ValueError, match="class_name='Gausian'. Did you mean Gaussian"):
        kernels.deserialize(config)


def test_a_config_of_something_else_is_refused():
    with pytest.raises(ValueError, match="A config of a `tfmmd.kernels.Kernel` is needed"):
        kernels.deserialize(keras.saving.serialize_keras_object(keras.layers.Dense(2)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: kernels.Gaussian((1.0, 0.0)),
        lambda: kernels.Gaussian(()),
        lambda: kernels.Laplacian((-1.0,)),
        lambda: kernels.RationalQuadratic((float("nan"),)),
        lambda: kernels.InverseMultiquadric((float("inf"),)),
        lambda: kernels.Polynomial(degree=0),
        lambda: kernels.Polynomial(degree=1.5),
        lambda: kernels.Polynomial(gamma=-1.0),
        lambda: kernels.Polynomial(coef0=-1.0),
        lambda: 0.0 * kernels.Linear(),
        lambda: kernels.Sum([]),
        lambda: kernels.Product([kernels.Linear(), "Gaussian"]),
    ],
)
def test_settings_without_meaning_are_refused(make):
    with pytest.raises(ValueError, match="Received: "):
        make()


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [(X[0], Y, "rank 2"), (X, Y[None], "rank 2"), (X, Y[:, :2], "same number of features")],
)
def test_points_that_do_not_fit_are_refused(x, y, reason):
    with pytest.raises(ValueError, match=reason):
        kernels.Gaussian()(x, y)


def test_the_median_bandwidth_is_the_median_distance():
    distances = [np.linalg.norm(X[i] - X[j]) for i in range(40) for j in range(i)]
    np.testing.assert_allclose(kernels.median_bandwidth(X), np.median(distances), rtol=1e-6)


def test_the_median_bandwidth_pools_two_samples():
    both = np.concatenate([X, Y])
    assert kernels.median_bandwidth(X, Y) == kernels.median_bandwidth(both)


def test_the_median_bandwidth_of_many_points_looks_at_some():
    many = np.random.default_rng(0).normal(size=(5000, 3))
    np.testing.assert_allclose(kernels.median_bandwidth(many, max_points=300), 2.175, rtol=0.05)


def test_the_median_bandwidth_of_equal_points_is_positive():
    assert kernels.median_bandwidth(np.ones([5, 2])) == 1.0


@pytest.mark.parametrize("x", [X[:1], np.full([3, 2], np.nan)])
def test_the_median_bandwidth_refuses_what_has_no_distance(x):
    with pytest.raises(ValueError, match="Received: "):
        kernels.median_bandwidth(x)


def test_geometric_bandwidths_surround_their_centre():
    np.testing.assert_allclose(kernels.geometric_bandwidths(4.0, 3, 2.0), (2.0, 4.0, 8.0))


@pytest.mark.parametrize(("bandwidth", "share"), [(1e-3, "too_far"), (1e3, "too_near")])
def test_the_saturation_report_says_on_which_side_the_kernel_is_flat(bandwidth, share):
    report = kernels.saturation(kernels.Gaussian((bandwidth,)), X)
    assert report.flat == getattr(report, share) == 1.0
    assert "try" in str(report)


def test_the_suggested_bandwidth_mends_saturation():
    report = kernels.saturation(kernels.Gaussian((1e-3,)), X)
    mended = kernels.saturation(kernels.Gaussian((report.suggested_bandwidth,)), X)
    assert mended.flat < 0.05


def test_the_saturation_report_refuses_kernels_without_a_bandwidth():
    with pytest.raises(ValueError, match="needs a `RadialKernel`"):
        kernels.saturation(kernels.Linear(), X)


def test_the_plot_has_a_curve_a_kernel_that_peaks_near_its_bandwidth():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    rows = np.random.default_rng(0).normal(size=(100, 4))
    kernels.plot_bandwidths([kernels.Gaussian([0.5]), kernels.Gaussian([4.0])], rows, axes=axes)
    peaks = [line.get_xdata()[np.argmax(line.get_ydata())] for line in axes.get_lines()[:2]]
    np.testing.assert_allclose(peaks, [0.5 * 2**0.5, 4.0 * 2**0.5], rtol=0.1)  # r e^(-r) is highest at r = 1
