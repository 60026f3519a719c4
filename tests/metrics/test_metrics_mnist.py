"""The anchors of the kernel density score on real MNIST."""

import numpy as np
import pytest
import tensorflow as tf

from tfmmd.metrics import parzen_log_likelihood
from tfmmd.metrics.parzen import ANCHORS

pytestmark = pytest.mark.needs_mnist


@pytest.fixture(scope="module")
def mnist():
    import tensorflow_datasets as tfds

    train, test = tfds.load("mnist", split=["train", "test"], batch_size=-1)
    train, test = (np.float32(part["image"]).reshape(-1, 784) / 255 for part in (train, test))
    return train[:55_000], train[55_000:57_000], test


@pytest.mark.slow
def test_ten_thousand_training_images_score_244_nats(mnist):
    train, validation, test = mnist
    chosen = np.random.RandomState(0).permutation(55_000)[:10_000]
    estimate = parzen_log_likelihood(train[chosen], test, validation)
    assert abs(estimate.mean - ANCHORS["mnist"]["10 000 training images"]) < 4
    assert not estimate.at_grid_edge


@pytest.mark.slow
def test_ten_thousand_centroids_score_341_nats(mnist):
    train, validation, test = mnist
    estimate = parzen_log_likelihood(centroids(train, 10_000, 6), test, validation)
    assert abs(estimate.mean - ANCHORS["mnist"]["10 000 k-means centroids"]) < 8


def centroids(x, number, iterations):
    """Lloyd's algorithm from random rows."""
    centres = tf.constant(x[np.random.RandomState(1).permutation(len(x))[:number]])
    for _ in range(iterations):
        nearest = tf.concat([_nearest(block, centres) for block in np.split(x, 110)], axis=0)
        counts = tf.math.unsorted_segment_sum(tf.ones([len(x), 1]), nearest, number)
        means = tf.math.unsorted_segment_sum(x, nearest, number) / tf.maximum(counts, 1)
        centres = tf.where(counts > 0, means, centres)
    return centres


@tf.function
def _nearest(block, centres):
    products = tf.matmul(block, centres, transpose_b=True)
    return tf.argmin(tf.reduce_sum(centres**2, axis=1) - 2 * products, axis=1)
