"""Encoders, decoders and latent critics of the papers."""

import keras
import numpy as np
import pytest

from tfmmd import networks
from tfmmd.models import data_checks

PAIRS = {
    "gmmn": (networks.gmmn_encoder, networks.gmmn_decoder),
    "vae": (networks.vae_encoder, networks.vae_decoder),
    "aae": (networks.aae_encoder, networks.aae_decoder),
    "wae-small": (networks.wae_encoder_small, networks.wae_decoder_small),
    "wae-conv": (networks.wae_encoder, networks.wae_decoder),
}
SMALL = {"wae-conv": ({"filters": (4, 4, 4, 4)}, {"filters": (4, 4, 4)})}


def pair(name):
    settings = SMALL.get(name, ({"hidden": (8,)},) * 2)
    encoder, decoder = PAIRS[name]
    return encoder((28, 28, 1), 5, **settings[0]), decoder(5, (28, 28, 1), **settings[1])


@pytest.mark.parametrize("name", PAIRS)
def test_an_encoder_gives_codes_and_a_decoder_gives_images_in_the_unit_interval(name):
    encoder, decoder = pair(name)
    codes = encoder(np.zeros((3, 28, 28, 1), np.float32))
    assert codes.shape == (3, 10 if name == "vae" else 5)
    images = decoder(np.zeros((3, 5), np.float32))
    assert images.shape == (3, 28, 28, 1)
    assert data_checks.interval(decoder) == (0.0, 1.0)


@pytest.mark.parametrize("name", PAIRS)
def test_outputs_are_float32_under_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert {model.output.dtype for model in pair(name)} == {"float32"}
    finally:
        keras.config.set_dtype_policy("float32")


def test_the_mnist_networks_have_the_published_sizes():
    assert networks.gmmn_encoder().count_params() == 784 * 1024 + 1024 + 1024 * 32 + 32
    assert networks.aae_encoder().count_params() == 784 * 1000 + 1000 + 1000 * 1000 + 1000 + 1000 * 8 + 8
    assert networks.latent_critic(8).count_params() == 8 * 1000 + 1000 + 1000 * 1000 + 1000 + 1000 + 1


@pytest.mark.parametrize("side, filters", [(28, (8, 4, 4)), (32, (8, 4, 4)), (64, (8, 4, 4, 4))])
def test_convolutions_serve_three_image_sizes(side, filters):
    shape = (side, side, 3)
    decoder = networks.wae_decoder(6, shape, filters=filters, kernel_size=5, output_activation="tanh")
    encoder = networks.wae_encoder(shape, 12, filters=(4, 4, 4, 8), kernel_size=5)
    assert decoder.output_shape == (None, *shape) and encoder.output_shape == (None, 12)
    assert data_checks.interval(decoder) == (-1.0, 1.0)


@pytest.mark.parametrize("shape", [(30, 30, 1), (28, 32, 1), (28, 28)])
def test_an_image_of_another_size_is_refused(shape):
    with pytest.raises(ValueError, match="side"):
        networks.wae_encoder(shape)


def test_too_many_doublings_for_the_image_are_refused():
    with pytest.raises(ValueError, match="multiple of 8"):
        networks.wae_decoder(4, (28, 28, 1), filters=(8, 4, 4, 4))


def test_standardized_codes_have_mean_zero_and_the_scale_over_a_batch():
    encoder = networks.standardized(networks.mlp((6,), (8,), 3), scale=0.7)
    codes = encoder(np.random.RandomState(0).uniform(size=(50, 6)).astype(np.float32), training=True)
    np.testing.assert_allclose(np.mean(codes, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.std(codes, axis=0), 0.7, rtol=1e-3)
