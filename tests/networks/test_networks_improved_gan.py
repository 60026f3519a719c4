"""The networks of Improved GAN: shapes, sizes and ranges of the paper."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd import layers, networks


def test_mnist_generator_has_the_papers_weights():
    generator = networks.improved_gan_mnist_generator()
    dense = 100 * 500 + 500 * 500 + 500 * 784
    offsets, scale, bias = 500 + 500, 784, 784
    assert sum(int(np.prod(v.shape)) for v in generator.trainable_variables) == dense + offsets + scale + bias


def test_mnist_critic_has_the_papers_weights_and_trains_the_last_scale_alone():
    critic = networks.improved_gan_mnist_critic()
    sizes = (784, 1000, 500, 250, 250, 250, 10)
    weights = sum(a * b + b for a, b in zip(sizes, sizes[1:]))
    assert sum(int(np.prod(v.shape)) for v in critic.trainable_variables) == weights + 10
    trained = [v for v in critic.trainable_variables if v.name == "scale"]
    assert [tuple(v.shape) for v in trained] == [(10,)]


def test_mnist_critic_has_noise_before_every_layer():
    critic = networks.improved_gan_mnist_critic()
    noise = [layer.stddev for layer in critic.layers if isinstance(layer, layers.GaussianNoise)]
    assert noise == [0.3, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_noise_layers_of_a_network_and_of_two_seeds_have_different_seeds():
    found = [
        layer.seed
        for seed in (0, 1)
        for layer in networks.improved_gan_mnist_critic(seed=seed).layers
        if isinstance(layer, layers.GaussianNoise)
    ]
    assert len(set(found)) == 12


def test_features_are_the_last_hidden_layer():
    critic = networks.improved_gan_mnist_critic()
    assert tuple(critic.get_layer("features").output.shape) == (None, 250)
    conv = networks.improved_gan_conv_critic(width=4)
    assert tuple(conv.get_layer("features").output.shape) == (None, 8)


@pytest.mark.parametrize(
    "reference", [None, np.random.default_rng(0).uniform(size=(8, 5))], ids=["bn", "vbn"]
)
@pytest.mark.parametrize(
    "make,shape,low",
    [
        (networks.improved_gan_mnist_generator, (8, 8, 1), 0.0),
        (networks.improved_gan_conv_generator, (16, 16, 3), -1.0),
    ],
    ids=["mlp", "conv"],
)
def test_generators_give_their_shape_and_range(make, shape, low, reference):
    samples = make(5, shape, reference=reference)(tf.random.stateless_uniform([6, 5], [1, 2]))
    assert tuple(samples.shape) == (6, *shape)
    assert low <= float(tf.reduce_min(samples)) and float(tf.reduce_max(samples)) <= 1.0


@pytest.mark.parametrize("minibatch_discrimination", [False, True])
@pytest.mark.parametrize(
    "make,shape",
    [(networks.improved_gan_mnist_critic, (8, 8, 1)), (networks.improved_gan_conv_critic, (16, 16, 3))],
    ids=["mlp", "conv"],
)
def test_critics_give_logits_of_deviation_as_initialised(make, shape, minibatch_discrimination):
    critic = make(shape, 4, minibatch_discrimination=minibatch_discrimination)
    logits = layers.initialize(critic, tf.random.stateless_uniform([200, *shape], [1, 2])).numpy()
    wanted = 1.0 if make is networks.improved_gan_mnist_critic else 0.1
    np.testing.assert_allclose([logits.mean(), logits.std()], [0.0, wanted], atol=1e-3)


def test_networks_are_saved_with_their_settings(tmp_path):
    critic = networks.improved_gan_conv_critic((16, 16, 3), 4, width=4)
    critic.save(tmp_path / "m.keras")
    x = tf.random.stateless_uniform([5, 16, 16, 3], [1, 2])
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "m.keras")(x), critic(x))


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="multiples of 8"):
        networks.improved_gan_conv_generator(output_shape=(28, 28, 1))
    with pytest.raises(ValueError, match="9 or more"):
        networks.improved_gan_conv_critic((8, 8, 1))
