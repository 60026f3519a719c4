"""Pictures and alarms."""

import numpy as np
import pytest
import tensorflow as tf

from tests import systems
from tfmmd import callbacks
from tfmmd.callbacks import watch


def test_tile_lays_images_row_by_row_in_a_frame():
    images = np.stack([np.full((2, 2, 1), v) for v in (0.0, 0.25, 1.0)])
    picture = watch.tile(images, columns=2)
    assert picture.shape == (8, 8, 1)
    assert picture[1, 1, 0] == 0 and picture[1, 5, 0] == 64 and picture[5, 1, 0] == 255


def test_tile_clips_values_outside_of_the_range():
    assert watch.tile(np.array([-1.0, 2.0]).reshape(2, 1, 1, 1))[1, [1, 4], 0].tolist() == [0, 255]


@pytest.mark.parametrize("shape", [(50, 2), (50, 1), (50, 5), (1, 2)])
def test_scatter_draws_points_of_any_size(shape):
    picture = watch.scatter(np.random.default_rng(0).normal(size=shape))
    assert picture.shape == (256, 256, 1) and (picture == 0).any()


def test_scatter_leaves_out_points_that_are_not_finite():
    points = np.random.default_rng(0).normal(size=(50, 2))
    spoiled = np.concatenate([points, [[np.nan, 0.0], [np.inf, 1.0]]])
    np.testing.assert_array_equal(watch.scatter(spoiled), watch.scatter(points))
    assert (watch.scatter(np.full([3, 2], np.nan)) == 255).all()


def test_a_picture_makes_its_folder(tmp_path):
    watch.write_png(tmp_path / "new" / "deep" / "p.png", np.zeros([2, 2, 1], np.uint8))
    assert (tmp_path / "new" / "deep" / "p.png").exists()


def test_sample_grid_writes_the_picture_of_fixed_seeds(tmp_path):
    model = systems.gmmn()
    systems.compile_one(model)
    grid = callbacks.SampleGrid(tmp_path / "logs", tmp_path / "samples.png", num_samples=4, every=5)
    model.fit(systems.digits(32), batch_size=16, epochs=2, verbose=0, callbacks=[grid])
    drawn = tf.io.decode_png((tmp_path / "samples.png").read_bytes()).numpy()
    expected = watch.tile(model.sample(4, seed=0))
    np.testing.assert_array_equal(drawn[:: drawn.shape[0] // 20, :: drawn.shape[0] // 20], expected)


def test_divergence_guard_names_the_loss_and_the_step():
    model = systems.gmmn()
    systems.compile_one(model)
    model.generator.layers[-2].bias.assign(np.full(64, np.nan, np.float32))
    with pytest.raises(callbacks.DivergedError, match="loss is not finite at step 1"):
        model.fit(systems.digits(32), batch_size=16, verbose=0, callbacks=[callbacks.DivergenceGuard()])
