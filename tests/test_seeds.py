"""Stateless noise."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfmmd import seeds

ROW_DRAWS = pytest.mark.parametrize("draw", [seeds.uniform_rows, seeds.normal_rows])


@pytest.mark.parametrize("key", [0, 5, -3, 2**62, -(2**63), 2**63 - 1])
def test_row_bits_are_tensorflows_philox_stream_of_that_key(key):
    expected = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[10],
        key=tf.constant([key % 2**64], tf.uint64),
        counter=tf.constant([0, seeds.role_number("latent")], tf.uint64),
        alg=1,
        dtype=tf.uint32,
    )
    rows = seeds.bits_rows(tf.constant([key], tf.int64), 10, "latent")
    np.testing.assert_array_equal(rows[0].numpy().astype(np.uint32), expected)


@ROW_DRAWS
@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("rows", [1, 2, 5, 33])
def test_a_row_of_noise_depends_on_its_seed_alone(draw, size, rows):
    many = draw(tf.range(64, dtype=tf.int64), size, "latent").numpy()
    few = draw(tf.range(9, 9 + rows, dtype=tf.int64), size, "latent").numpy()
    np.testing.assert_array_equal(few, many[9 : 9 + rows])


@ROW_DRAWS
def test_row_noise_is_the_same_eager_and_in_a_graph(draw):
    row_seeds = tf.range(20, dtype=tf.int64)
    graph = tf.function(lambda s: draw(s, 10, "latent"))(row_seeds)
    np.testing.assert_array_equal(graph, draw(row_seeds, 10, "latent"))


@pytest.mark.parametrize(
    ("draw", "law"),
    [(seeds.uniform_rows, stats.uniform), (seeds.normal_rows, stats.norm)],
    ids=["uniform", "normal"],
)
def test_row_noise_follows_its_law(draw, law):
    values = draw(tf.range(4000, dtype=tf.int64), 5, "latent").numpy().ravel()
    assert stats.kstest(values, law.cdf).pvalue > 1e-3


@ROW_DRAWS
def test_columns_and_neighbouring_seeds_are_uncorrelated(draw):
    values = draw(tf.range(20_000, dtype=tf.int64), 4, "latent").numpy()
    columns = np.concatenate([values, np.roll(values, 1, axis=0)], axis=1)
    off_diagonal = np.corrcoef(columns.T) - np.eye(8)
    assert np.abs(off_diagonal).max() < 5 / np.sqrt(20_000)  # five standard errors


@pytest.fixture(scope="module")
def block():
    return seeds.normal_block([1500, 1001], seeds.pair(3, 5, "GaussianNoise")).numpy().astype(np.float64)


@pytest.mark.parametrize("power, moment", [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0), (6, 15.0)])
def test_a_block_has_the_moments_of_the_normal_law(power, moment, block):
    spread = np.std(block**power) / np.sqrt(block.size)
    assert abs(np.mean(block**power) - moment) < 4 * spread


def test_a_block_follows_the_normal_law(block):
    assert stats.kstest(block.ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("lag", [1, 2, 1001, 1500 * 1001 // 2])
def test_draws_of_a_block_are_uncorrelated(lag, block):
    flat = block.ravel()
    first, second = flat[:-lag], flat[lag:]
    for x, y in ((first, second), (first**2, second**2)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 4 / np.sqrt(len(x))


def test_the_smallest_half_gives_the_largest_draw(block):
    assert 4.4 < np.max(np.abs(block)) < np.sqrt(-2 * np.log(0.5 * 2.0**-16))


@pytest.mark.parametrize("shape", [[1], [3], [5, 7], [2, 2, 2]])
def test_a_block_of_any_shape_is_finite(shape):
    draw = seeds.normal_block(shape, seeds.pair(0, 0, "noise"))
    assert draw.shape == shape and np.all(np.isfinite(draw))


@pytest.mark.parametrize("change", [(2, 3, "latent"), (1, 4, "latent"), (1, 3, "other")])
def test_seed_step_and_role_each_change_the_draw(change):
    base = seeds.normal([100], seeds.pair(1, 3, "latent")).numpy()
    assert abs(np.corrcoef(base, seeds.normal([100], seeds.pair(*change)))[0, 1]) < 0.5


def test_a_draw_is_the_same_eager_and_in_a_graph():
    def draw(step):
        return seeds.uniform([50], seeds.pair(7, step, "latent"))

    np.testing.assert_array_equal(draw(3), tf.function(draw)(tf.constant(3, tf.int64)))


def test_row_seeds_count_up_from_the_base():
    np.testing.assert_array_equal(seeds.row_seeds(3, -1), [-1, 0, 1])


@pytest.mark.parametrize(("num", "seed"), [(0, 1), (-1, 1), (2, 2**63 - 1), (1, 2**63), (1, 1.5), (True, 1)])
def test_row_seeds_outside_of_int64_are_refused(num, seed):
    with pytest.raises(ValueError, match="Received"):
        seeds.row_seeds(num, seed)
