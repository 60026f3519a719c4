"""`load` and `arrays` on the sets that need no file."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from tfmmd import data
from tfmmd.data import synthetic

EMBEDDED = ("digits", "rings", "gaussians")
DIGITS = load_digits()
ORDER = np.random.RandomState(0).permutation(1797)
ROWS = {"train": ORDER[500:], "validation": ORDER[:200], "test": ORDER[200:500]}


@pytest.mark.parametrize("split", ROWS)
def test_digits_are_the_rows_of_a_fixed_permutation_in_zero_one(split):
    x, y = data.arrays("digits", split, with_labels=True)
    np.testing.assert_array_equal(x[..., 0], (DIGITS.images[ROWS[split]] / 16).astype(np.float32))
    np.testing.assert_array_equal(y, DIGITS.target[ROWS[split]])


@pytest.mark.parametrize("name", EMBEDDED)
def test_load_gives_the_rows_of_arrays_one_by_one(name):
    x, y = data.arrays(name, "test", with_labels=True)
    rows = list(data.load(name, "test", with_labels=True).as_numpy_iterator())
    np.testing.assert_array_equal(np.stack([row[0] for row in rows]), x)
    np.testing.assert_array_equal(np.array([row[1] for row in rows]), y)


def test_no_tuning_thread_holds_up_the_end_of_a_set():
    assert data.load("digits").options().autotune.enabled is False


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_cardinality_is_known(name):
    assert int(data.load(name, "validation").cardinality()) == len(data.arrays(name, "validation"))


@pytest.mark.parametrize("name, shape", [("digits", (8, 8, 1)), ("rings", (2,)), ("gaussians", (2,))])
def test_an_element_is_float32_of_static_shape(name, shape):
    assert data.load(name).element_spec == tf.TensorSpec(shape, tf.float32)


@pytest.mark.parametrize("name", EMBEDDED)
def test_two_loads_are_equal(name):
    np.testing.assert_array_equal(data.arrays(name, "test"), data.arrays(name, "test"))


@pytest.mark.parametrize("low, high", [(-1, 1), (0, 255), (2.5, 3)])
def test_a_value_range_is_a_linear_map_of_zero_one(low, high):
    unit = data.arrays("digits", "test")
    np.testing.assert_allclose(
        data.arrays("digits", "test", (low, high)), low + (high - low) * unit, rtol=1e-6
    )


def test_threshold_turns_on_pixels_above_a_half():
    unit = data.arrays("digits", "test")
    np.testing.assert_array_equal(data.arrays("digits", "test", binarize="threshold"), unit > 0.5)


def test_binary_pixels_take_the_ends_of_the_value_range():
    assert set(np.unique(data.arrays("digits", "test", (-1, 1), "bernoulli"))) == {-1.0, 1.0}


def test_bernoulli_pixels_are_on_with_their_own_probability():
    unit, binary = data.arrays("digits", "train"), data.arrays("digits", "train", binarize="bernoulli")
    for value in np.unique(unit):
        where = unit == value
        error = 5 * np.sqrt(value * (1 - value) / where.sum())
        np.testing.assert_allclose(binary[where].mean(), value, rtol=0, atol=error)


def test_bernoulli_pixels_of_an_image_stay_when_the_set_is_cut_off():
    whole = data.load("digits", "test", binarize="bernoulli")
    np.testing.assert_array_equal(
        np.stack(list(whole.take(7).as_numpy_iterator())),
        data.arrays("digits", "test", binarize="bernoulli")[:7],
    )


def test_bernoulli_pixels_differ_between_seeds():
    one, two = (data.arrays("digits", "test", binarize="bernoulli", seed=seed) for seed in (0, 1))
    assert (one != two).any()


def test_synthetic_points_differ_between_seeds():
    one, two = (data.arrays("rings", "test", seed=seed) for seed in (0, 1))
    assert not np.isin(one[:, 0], two[:, 0]).any()


def test_points_lie_on_their_rings():
    xy, ring = data.arrays("rings", with_labels=True)
    radius = np.linalg.norm(xy, axis=1)
    for i, expected in enumerate(synthetic.RING_RADII):
        np.testing.assert_allclose(radius[ring == i].mean(), expected, atol=0.002)
        np.testing.assert_allclose(radius[ring == i].std(), synthetic.RING_NOISE, rtol=0.1)


def test_points_spread_around_the_means_of_their_gaussians():
    xy, number = data.arrays("gaussians", with_labels=True)
    for i in range(8):
        angle = 2 * np.pi * i / 8
        np.testing.assert_allclose(xy[number == i].mean(axis=0), [np.cos(angle), np.sin(angle)], atol=0.01)
        np.testing.assert_allclose(xy[number == i].std(axis=0), synthetic.GAUSSIAN_STD, rtol=0.1)


def test_points_fill_a_value_range_that_is_asked_for():
    xy = data.arrays("rings")
    np.testing.assert_allclose(data.arrays("rings", value_range=(-1, 1)), xy / synthetic.BOX, atol=1e-6)


def test_a_slice_is_taken_from_its_split():
    x = data.arrays("digits", "train")
    np.testing.assert_array_equal(data.arrays("digits", "train[10:20]"), x[10:20])


def test_a_slice_may_be_in_percent():
    x = data.arrays("digits", "test")
    np.testing.assert_array_equal(data.arrays("digits", "test[:10%]"), x[:30])


def test_splits_are_joined_by_a_plus():
    parts = [data.arrays("digits", split) for split in ("train", "validation")]
    np.testing.assert_array_equal(data.arrays("digits", "train+validation"), np.concatenate(parts))


def test_the_splits_of_digits_share_no_row():
    assert sorted(np.concatenate(list(ROWS.values()))) == list(range(1797))


def test_images_are_resized_within_their_range():
    x = data.arrays("digits", "test", image_size=16)
    assert x.shape == (300, 16, 16, 1)
    assert 0 <= x.min() and x.max() <= 1


def test_an_image_size_that_is_there_already_changes_nothing():
    np.testing.assert_array_equal(data.arrays("digits", "test", image_size=8), data.arrays("digits", "test"))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"name": "digit"}, "'digits'"),
        ({"name": "minst"}, "'mnist'"),
        ({"name": 3}, "string or a path"),
        ({"name": "digits", "split": "tset"}, "'test'"),
        ({"name": "digits", "split": "train[1,2]"}, "name\\[start:stop\\]"),
        ({"name": "digits", "split": "train[:0]"}, "at least one row"),
        ({"name": "digits", "value_range": (1, 0)}, "lower one first"),
        ({"name": "digits", "value_range": (0, np.inf)}, "finite"),
        ({"name": "digits", "value_range": 3}, "two finite numbers"),
        ({"name": "digits", "binarize": "bernouli"}, "'bernoulli'"),
        ({"name": "digits", "image_size": 0}, "image_size"),
        ({"name": "rings", "binarize": "threshold"}, "need images"),
        ({"name": "rings", "image_size": 8}, "need images"),
    ],
)
def test_a_wrong_argument_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        data.load(**arguments)


def test_tfds_is_imported_only_when_it_is_needed():
    code = (
        "import sys; from tfmmd import data; data.load('digits'); print('tensorflow_datasets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "False", done.stderr[-2000:]
