"""Weight normalisation: values, invariance, data-dependent initialisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_improved_gan as twin
from tfmmd import layers

KINDS = {
    "dense": (lambda **kw: keras.layers.Dense(4, **kw), (3,)),
    "dense-on-sequences": (lambda **kw: keras.layers.Dense(4, **kw), (5, 3)),
    "conv1d": (lambda **kw: keras.layers.Conv1D(4, 3, **kw), (7, 3)),
    "conv2d": (lambda **kw: keras.layers.Conv2D(4, 3, strides=2, padding="same", **kw), (8, 8, 3)),
    "conv3d": (lambda **kw: keras.layers.Conv3D(4, 2, **kw), (4, 4, 4, 3)),
    "transposed": (
        lambda **kw: keras.layers.Conv2DTranspose(4, 5, strides=2, padding="same", **kw),
        (4, 4, 3),
    ),
}
ALL = pytest.mark.parametrize("kind", KINDS)


def batch(kind, rows=64):
    return tf.random.stateless_normal([rows, *KINDS[kind][1]], [5, 1])


def make(kind, activation=None, **kwargs):
    return layers.WeightNormalization(KINDS[kind][0](activation=activation), **kwargs)


def test_dense_value_is_the_twins():
    layer, x = make("dense"), batch("dense", 6)
    layer.build(x.shape)
    layer.scale.assign([0.5, 1.0, 2.0, -1.0])
    layer.layer.bias.assign([0.1, 0.2, 0.3, 0.4])
    expected = twin.weight_norm_dense(
        x.numpy(), layer.layer.kernel.numpy(), layer.scale.numpy(), layer.layer.bias.numpy()
    )
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


@ALL
def test_value_is_the_plain_layers_with_kernels_of_length_one(kind):
    layer, x = make(kind, "softplus"), batch(kind, 3)
    normalized = layer(x)
    kernel = layer.layer.kernel
    output_axis = kernel.ndim - (2 if kind == "transposed" else 1)
    others = tuple(axis for axis in range(kernel.ndim) if axis != output_axis)
    kernel.assign(kernel / np.sqrt(np.sum(kernel.numpy() ** 2, others, keepdims=True)))
    np.testing.assert_allclose(normalized, layer.layer(x), rtol=1e-4, atol=1e-5)


@ALL
def test_length_of_the_kernel_does_not_matter(kind):
    layer, x = make(kind), batch(kind, 3)
    before = layer(x)
    layer.layer.kernel.assign(layer.layer.kernel * 7.0)
    np.testing.assert_allclose(layer(x), before, rtol=1e-4, atol=1e-5)


@ALL
@pytest.mark.parametrize("stddev", [1.0, 0.1])
def test_initialized_outputs_have_mean_zero_and_the_wanted_deviation(kind, stddev):
    layer, x = make(kind, init_stddev=stddev), batch(kind)
    model = keras.Sequential([layer])
    layers.initialize(model, x)
    y = layer(x).numpy().reshape(-1, 4)
    np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std(0), stddev, rtol=1e-4)


def test_initialization_goes_layer_by_layer_in_one_pass():
    network = keras.Sequential([make("dense"), keras.layers.ReLU(), make("dense")])
    layers.initialize(network, batch("dense"))
    y = network(batch("dense")).numpy()
    np.testing.assert_allclose([y.mean(0), y.std(0)], [np.zeros(4), np.ones(4)], atol=1e-4)


def test_initialization_returns_the_outputs_under_the_new_values():
    network = keras.Sequential([make("dense", "relu"), make("dense")])
    returned = layers.initialize(network, batch("dense"))
    np.testing.assert_allclose(returned, network(batch("dense")), atol=1e-5)


def test_initialization_twice_changes_nothing_more():
    network = keras.Sequential([make("dense")])
    layers.initialize(network, batch("dense"))
    before = network.get_weights()
    layers.initialize(network, batch("dense"))
    for a, b in zip(before, network.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_layer_without_init_stddev_is_left_alone():
    network = keras.Sequential([keras.Input((3,)), make("dense", init_stddev=None)])
    before = network.get_weights()
    layers.initialize(network, batch("dense"))
    for a, b in zip(before, network.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_dead_unit_stays_finite():
    network = keras.Sequential([keras.layers.ReLU(), make("dense")])
    layers.initialize(network, -tf.abs(batch("dense")))
    assert all(np.all(np.isfinite(w)) for w in network.get_weights())


def test_a_fixed_scale_is_not_trainable():
    layer = make("dense", trainable_scale=False)
    layer.build((None, 3))
    assert [v.name for v in layer.trainable_variables] == ["kernel", "bias"]


def test_gradient_matches_finite_differences():
    layer = layers.WeightNormalization(keras.layers.Dense(2, dtype="float64"), dtype="float64")
    layer.build((None, 3))
    x = tf.cast(batch("dense", 4), tf.float64)
    exact, numeric = tf.test.compute_gradient(lambda v: tf.reduce_sum(tf.sin(layer(v))), [x])
    np.testing.assert_allclose(exact[0], numeric[0], atol=1e-2)  # float32 inside of the layer


def test_another_layer_is_refused_by_name():
    with pytest.raises(ValueError, match="Dense"):
        layers.WeightNormalization(keras.layers.ReLU())


def test_channels_first_is_refused():
    with pytest.raises(ValueError, match="channels last"):
        layers.WeightNormalization(keras.layers.Conv2D(4, 3, data_format="channels_first"))


def test_one_row_is_too_few_to_initialize():
    with pytest.raises(ValueError, match="at least 2 rows"):
        layers.initialize(make("dense"), batch("dense", 1))
