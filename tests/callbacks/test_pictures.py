"""Pictures of auto-encoders: what each shows, and where it is written."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.systems import CODE, SHAPE, SYSTEMS, digits
from tfmmd import callbacks
from tfmmd.callbacks import pictures

MAKE = {
    "reconstructions": lambda **kw: callbacks.Reconstructions(digits(8), **kw),
    "interpolations": lambda **kw: callbacks.Interpolations(digits(3), digits(6)[3:], num_steps=4, **kw),
    "latent_map": lambda **kw: callbacks.LatentMap(digits(20), np.arange(20), size=64, **kw),
    "nearest_neighbours": lambda **kw: callbacks.NearestNeighbours(digits(30), 3, 2, **kw),
}
ALL = pytest.mark.parametrize("name", MAKE)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    built = SYSTEMS["vae"].build()
    built.compile()
    return built


def drawn(callback, model):
    callback.set_model(model)
    return callback.picture()


@ALL
def test_a_picture_is_a_file_and_an_event(name, model, tmp_path):
    callback = MAKE[name](log_dir=tmp_path / "logs", directory=tmp_path)
    model.fit(digits(32), epochs=1, verbose=0, callbacks=[callback])
    image = tf.io.decode_png((tmp_path / f"{name}.png").read_bytes())
    assert image.shape[0] > 0 and list((tmp_path / "logs").iterdir())


@ALL
def test_a_picture_is_drawn_every_so_many_epochs_and_at_the_end(name, model):
    callback, epochs = MAKE[name](every=2), []
    callback.draw = lambda: (epochs.append(callback.epoch), setattr(callback, "drawn_epoch", callback.epoch))
    model.fit(digits(32), epochs=5, verbose=0, callbacks=[callback])
    assert epochs == [1, 3, 4]


def test_reconstructions_stand_beside_their_images(model):
    picture = drawn(MAKE["reconstructions"](), model)
    assert picture.shape == (2 * 10, 8 * 10, 1)
    np.testing.assert_array_equal(picture[1:9, 1:9], np.round(255 * digits(1)[0]))
    expected = np.round(255 * np.asarray(model.reconstruct(digits(8)))[0])
    np.testing.assert_allclose(picture[1:9, 11:19], expected, atol=1)


def test_interpolations_end_at_the_reconstruction_of_the_second_image(model):
    picture = drawn(MAKE["interpolations"](), model)
    expected = np.round(255 * np.asarray(model.reconstruct(digits(6)))[3])
    np.testing.assert_allclose(picture[1:9, 31:39], expected, atol=1)


def test_the_latent_map_colours_points_by_label(model):
    picture = drawn(MAKE["latent_map"](), model)
    colours = {tuple(c) for c in picture.reshape(-1, 3)}
    assert colours <= {(255, 255, 255), *map(tuple, pictures.PALETTE)} and len(colours) > 5


def test_the_plane_of_longer_codes_holds_their_largest_spread():
    codes = np.random.default_rng(0).normal(size=(500, CODE)) * [5.0, 0.1, 2.0]
    np.testing.assert_allclose(np.std(pictures.plane(codes), axis=0), [5.0, 2.0], rtol=0.1)


@pytest.mark.parametrize("size", [1, 2])
def test_short_codes_are_the_plane_themselves(size):
    codes = np.random.default_rng(0).normal(size=(9, size))
    np.testing.assert_allclose(pictures.plane(codes)[:, :size], codes - codes.mean(0))


def test_neighbours_are_the_nearest_training_images_in_order():
    train = digits(30)
    nearest = callbacks.NearestNeighbours(train, 3, 2).neighbours(train[4:7] + 0.01)
    distances = ((train[4:7, None] + 0.01 - train[None]) ** 2).sum(axis=(2, 3, 4))
    np.testing.assert_array_equal(nearest, np.argsort(distances, axis=1)[:, :2])
    np.testing.assert_array_equal(nearest[:, 0], [4, 5, 6])


def test_a_value_range_is_mapped_to_black_and_white():
    images = callbacks.Reconstructions(np.zeros((1, *SHAPE)), value_range=(-1, 1)).unit(
        np.array([-1.0, 0.0, 1.0])
    )
    np.testing.assert_allclose(images, [0.0, 0.5, 1.0])
