"""Networks of the GAN papers: shapes, initial weights, float32 outputs, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd import networks
from tfmmd.models.generator import layers_in

SHAPES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (8, 8, 1), (30, 20, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_dcgan_networks_fit_each_other_at_every_size(shape):
    generator = networks.dcgan_generator(10, shape, filters=2)
    critic = networks.dcgan_critic(shape, 16, filters=2)
    images = generator(tf.zeros([2, 10]))
    assert images.shape == (2, *shape) and critic(images).shape == (2, 16)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_the_last_layer_of_the_dcgan_generator_has_a_bias_and_no_hidden_one(activation):
    generator = networks.dcgan_generator(10, (8, 8, 1), filters=2, num_stages=2, output_activation=activation)
    layers = [layer for layer in generator.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert [layer.use_bias for layer in layers] == [False, True]


def test_mnist_maps_halve_rounded_up():
    generator = networks.dcgan_generator(10, (28, 28, 1), filters=2)
    sides = [layer.output.shape[1] for layer in generator.layers if "conv2d" in layer.name]
    assert sides == [4, 7, 14, 28]
    assert generator.get_layer(index=2).output.shape == (None, 2, 2, 16)


def test_critic_width_doubles_with_every_layer():
    critic = networks.dcgan_critic((32, 32, 3), 16, filters=4)
    widths = [layer.filters for layer in critic.layers if isinstance(layer, keras.layers.Conv2D)]
    assert widths == [4, 8, 16, 32]


def test_critic_of_sixteen_filters_is_a_sixteenth_in_its_weights():
    small, large = (networks.dcgan_critic((32, 32, 3), 16, filters=f).count_params() for f in (16, 64))
    assert large > 14 * small


@pytest.mark.parametrize("size", [64, 96, 128, 160])
def test_resnet_generator_fits_the_critic_of_five_layers(size):
    generator = networks.resnet_generator(10, (size, size, 3), filters=2)
    critic = networks.dcgan_critic((size, size, 3), 16, filters=2, num_stages=5)
    assert generator.output_shape == critic.input_shape == (None, size, size, 3)


def test_resnet_generator_refuses_sizes_it_cannot_double_to():
    with pytest.raises(ValueError, match="multiple of 16.*64, 96"):
        networks.resnet_generator(10, (65, 65, 3))


@pytest.mark.parametrize("side", [1, 3, 6, 7])
def test_resnet_generator_refuses_sizes_below_eight(side):
    with pytest.raises(ValueError, match=rf"8 pixels or more.*\({side}, {side}, 1\).*64, 96"):
        networks.resnet_generator(4, (side, side, 1))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_batch_norm_is_in_the_critic_only_where_asked_for(batch_norm):
    critic = networks.dcgan_critic((28, 28, 1), 1, filters=2, batch_norm=batch_norm)
    assert bool(layers_in(critic, keras.layers.BatchNormalization)) is batch_norm


def test_batch_norm_is_synchronised_over_replicas():
    generator = networks.dcgan_generator(10, (28, 28, 1), filters=2)
    layers = [layer for layer in generator.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) == 4 and all(layer.synchronized for layer in layers)


def test_outputs_are_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        generator = networks.dcgan_generator(4, (8, 8, 1), filters=2, num_stages=2)
        critic = networks.maxout_gan_critic((8, 8, 1), units=3, pieces=2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert generator(tf.zeros([2, 4])).dtype == critic(tf.zeros([2, 8, 8, 1])).dtype == tf.float32


def test_maxout_gan_starts_at_the_mean_of_the_data():
    mean = np.random.default_rng(0).uniform(0.1, 0.9, (8, 8, 1))
    generator = networks.maxout_gan_generator(5, (8, 8, 1), hidden=(4,), mean_sample=mean)
    np.testing.assert_allclose(generator(tf.zeros([1, 5]))[0], mean, rtol=1e-5)


def test_maxout_critic_drops_units_in_training_only():
    critic = networks.maxout_gan_critic((8, 8, 1), units=6, pieces=3)
    x = tf.ones([4, 8, 8, 1])
    assert np.ptp(critic(x, training=False)) < 1e-6 < np.ptp(critic(x, training=True))


def test_maxout_critic_drops_the_shares_it_is_told():
    critic = networks.maxout_gan_critic((8, 8, 1), units=6, pieces=3, pixel_dropout=0.1, hidden_dropout=0.3)
    assert [layer.rate for layer in critic.layers if hasattr(layer, "rate")] == [0.1, 0.3, 0.3]


@pytest.mark.parametrize("name", ["pixel_dropout", "hidden_dropout"])
@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_a_dropout_that_is_no_share_is_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        networks.maxout_gan_critic((8, 8, 1), **{name: value})
