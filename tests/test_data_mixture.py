"""The mixture of the data's own codes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_gae
from tfmmd import priors, seeds


def arrays(num_components=6, size=3, dtype=np.float32):
    rng = np.random.default_rng(0)
    means = rng.normal(size=(num_components, size)).astype(dtype)
    return means, np.exp(rng.normal(size=(num_components, size)) * 0.3 - 1.0).astype(dtype)


def mixture(*args, **kwargs):
    return priors.DataMixture(*arrays(*args, **kwargs))


def pair(number=0):
    return seeds.pair(1, number, "test")


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_log_prob_equals_the_loop(rows):
    z = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    expected = [reference_gae.log_mixture(code, *arrays()) for code in z]
    np.testing.assert_allclose(mixture().log_prob(z), expected, rtol=1e-5)


def test_log_prob_equals_the_tfp_view():
    z = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    np.testing.assert_allclose(mixture().log_prob(z), mixture().distribution().log_prob(z), rtol=1e-4)


def test_log_prob_is_exact_at_narrow_kernels_far_from_zero():
    means, scales = arrays(dtype=np.float64)
    means, scales = means + 100.0, scales * 1e-3
    z = means + scales
    expected = [reference_gae.log_mixture(code, means, scales) for code in z]
    np.testing.assert_allclose(priors.DataMixture(means, scales).log_prob(z), expected, rtol=1e-6)


@pytest.mark.parametrize("pairs", [1, 6, 7, 13, 1000])
def test_log_prob_does_not_depend_on_the_block(pairs, monkeypatch):
    z = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    expected = mixture().log_prob(z)
    monkeypatch.setattr(priors, "_PAIRS_PER_BLOCK", pairs)
    np.testing.assert_allclose(mixture().log_prob(z), expected, rtol=1e-6)


def test_log_prob_traces_with_an_unknown_number_of_rows():
    function = tf.function(mixture().log_prob, input_signature=[tf.TensorSpec([None, 3])])
    for rows in (1, 4):
        z = np.full((rows, 3), 0.2, np.float32)
        np.testing.assert_allclose(function(z), mixture().log_prob(z), rtol=1e-6)


def test_gradient_of_the_kernels_matches_finite_differences():
    means, scales = arrays(4, 2, np.float64)
    z = np.random.default_rng(1).normal(size=(3, 2))
    exact, numeric = tf.test.compute_gradient(priors.log_kernels, [z, means, scales], delta=1e-6)
    for a, b in zip(exact, numeric):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_draws_have_the_moments_of_the_mixture():
    means, scales = arrays()
    z = mixture().draw(200_000, pair()).numpy()
    np.testing.assert_allclose(z.mean(0), means.mean(0), atol=0.01)
    np.testing.assert_allclose(z.var(0), means.var(0) + (scales**2).mean(0), rtol=0.02)


def test_rows_have_the_moments_of_the_mixture():
    means, scales = arrays()
    z = mixture().rows(tf.range(100_000, dtype=tf.int64)).numpy()
    np.testing.assert_allclose(z.mean(0), means.mean(0), atol=0.02)
    np.testing.assert_allclose(z.var(0), means.var(0) + (scales**2).mean(0), rtol=0.03)


def test_a_row_depends_on_its_seed_alone():
    many = mixture().rows(tf.range(100, dtype=tf.int64)).numpy()
    np.testing.assert_array_equal(mixture().rows(tf.constant([42, 7], tf.int64)), many[[42, 7]])


@pytest.mark.parametrize("num_components", [1, 3, 1000])
def test_rows_draw_components_evenly(num_components):
    means = np.arange(num_components, dtype=np.float32)[:, None]
    codes = priors.DataMixture(means, np.full_like(means, 1e-6)).rows(tf.range(20_000, dtype=tf.int64))
    counts = np.bincount(np.round(codes.numpy()[:, 0]).astype(int), minlength=num_components)
    expected = 20_000 / num_components
    assert len(counts) == num_components
    np.testing.assert_allclose(counts.var() / expected, 1.0 if num_components > 3 else 0.0, atol=2.0)


@pytest.mark.parametrize("num_samples", [1, 4, 6])
def test_stratified_components_are_visited_at_most_once(num_samples):
    components = mixture().stratified_components(num_samples, pair()).numpy()
    assert len(set(components)) == num_samples


def test_stratified_components_are_visited_equally_often_over_whole_rounds():
    components = mixture().stratified_components(18, pair()).numpy()
    np.testing.assert_array_equal(np.bincount(components), np.full(6, 3))


def test_stratified_rounds_have_different_orders():
    components = mixture(50).stratified_components(100, pair()).numpy()
    assert not np.array_equal(components[:50], components[50:])


def test_stratified_codes_lie_at_their_components():
    means, _ = arrays()
    law = priors.DataMixture(means, np.full_like(means, 1e-6))
    codes = law.draw_stratified(6, pair())
    np.testing.assert_allclose(np.sort(codes, axis=0), np.sort(means, axis=0), atol=1e-4)


def test_stratification_lowers_the_variance_of_a_mean():
    law = mixture()
    means = {
        name: np.var([getattr(law, name)(6, pair(i)).numpy().mean(0) for i in range(100)])
        for name in ("draw", "draw_stratified")
    }
    assert means["draw_stratified"] < 0.5 * means["draw"]


def test_a_variable_is_read_anew():
    means, scales = arrays()
    variable = keras.Variable(means)
    law = priors.DataMixture(variable, keras.Variable(scales))
    before = law.draw(3, pair()).numpy()
    variable.assign(means + 1.0)
    np.testing.assert_allclose(law.draw(3, pair()), before + 1.0, atol=1e-6)


def test_config_round_trip():
    law = mixture()
    again = priors.DataMixture.from_config(law.get_config())
    np.testing.assert_array_equal(
        again.rows(tf.range(4, dtype=tf.int64)), law.rows(tf.range(4, dtype=tf.int64))
    )
    assert repr(again) == "DataMixture(num_components=6, size=3)"


@pytest.mark.parametrize(
    ("means", "scales", "word"),
    [
        (np.zeros([3, 2]), np.ones([3, 1]), "shape"),
        (np.zeros([0, 2]), np.ones([0, 2]), "shape"),
        (np.zeros([3]), np.ones([3]), "shape"),
        (np.zeros([3, 2]), np.zeros([3, 2]), "positive"),
        (np.full([3, 2], np.nan), np.ones([3, 2]), "finite"),
    ],
)
def test_bad_tables_are_refused(means, scales, word):
    with pytest.raises(ValueError, match=word):
        priors.DataMixture(means, scales)
