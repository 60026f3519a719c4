"""Real MNIST, where `TFDS_DATA_DIR` points to it."""

import numpy as np
import pytest

from tfmmd import data

pytestmark = pytest.mark.needs_mnist


@pytest.fixture(scope="module")
def whole():
    return data.arrays("mnist", "train+validation", with_labels=True)


def test_mnist_has_its_known_mean_and_labels(whole):
    x, y = whole
    assert x.shape == (60_000, 28, 28, 1)
    np.testing.assert_allclose(x.mean(dtype=np.float64), 0.13066, atol=1e-5)
    np.testing.assert_array_equal(np.bincount(y)[:3], [5923, 6742, 5958])


def test_validation_is_the_published_choice_of_5000_rows(whole):
    rows = np.random.RandomState(0).permutation(60_000)
    np.testing.assert_array_equal(data.arrays("mnist", "validation"), whole[0][rows[:5000]])


def test_train_is_the_other_55_000_rows(whole):
    rows = np.random.RandomState(0).permutation(60_000)
    np.testing.assert_array_equal(data.arrays("mnist", "train"), whole[0][rows[5000:]])


def test_a_labelled_subset_of_mnist_is_balanced(whole):
    rows = data.balanced_labels(whole[1], 10, seed=1)
    np.testing.assert_array_equal(np.bincount(whole[1][rows]), np.full(10, 10))
