"""Codes for TensorBoard's Projector tab."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from tests.systems import SHAPE, digits
from tfmmd import models, networks
from tfmmd.callbacks import Projector

ROWS = 10


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = models.Autoencoder(networks.mlp(SHAPE, (8,), 3), networks.vae_decoder(3, SHAPE, hidden=(8,)))
    model.compile("adam")
    logs = tmp_path_factory.mktemp("logs") / "run"
    model.fit(
        digits(32), verbose=0, callbacks=[Projector(digits(ROWS), [f"n{i}" for i in range(ROWS)], logs)]
    )
    return model, logs, text_format.Parse((logs / "projector_config.pbtxt").read_text(), ProjectorConfig())


def test_the_codes_are_those_of_the_trained_model(written):
    model, logs, config = written
    codes = np.loadtxt(logs / config.embeddings[0].tensor_path, delimiter="\t")
    np.testing.assert_allclose(codes, model.encode(digits(ROWS)), rtol=1e-4, atol=1e-5)


def test_every_code_has_its_label(written):
    _, logs, config = written
    assert (logs / config.embeddings[0].metadata_path).read_text().split() == [f"n{i}" for i in range(ROWS)]


def test_the_sprite_holds_image_i_in_row_major_order(written):
    _, logs, config = written
    sprite = config.embeddings[0].sprite
    picture = tf.io.decode_png((logs / sprite.image_path).read_bytes()).numpy()
    width, height = sprite.single_image_dim
    assert picture.shape == (4 * height, 4 * width, 1)
    row, column = divmod(6, 4)
    cut = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
    np.testing.assert_allclose(cut / 255, digits(ROWS)[6], atol=0.5 / 255)


def test_rows_that_are_not_images_have_no_sprite():
    assert Projector(np.zeros([5, 3])).sprite() is None


def test_a_sprite_beyond_what_the_tab_shows_is_left_out():
    assert Projector(np.zeros([5000, 128, 128, 1], np.uint8)).sprite() is None
