"""The E-step of the generative auto-encoder against loops, quadrature and closed forms."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests import reference_gae
from tfmmd.models import likelihoods, mixture_weights

N, B, S, D = 6, 3, 4, 5
LAW = likelihoods.Bernoulli(logits=True)
MATRICES = ("self", "path", "aggregate")


def toy(num_latents=1, seed=0):
    """Data `[N, D]` that fit their codes, means and scales `[N, k]`, and a linear decoder `[k, D]`."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(N, num_latents)).astype(np.float32)
    scales = np.exp(0.3 * rng.normal(size=(N, num_latents)) - 0.5).astype(np.float32)
    weight = rng.normal(size=(num_latents, D)).astype(np.float32)
    return (means @ weight > 0).astype(np.float32), means, scales, weight


def batch_of(rows, noise, x, means, scales, weight):
    """The `Batch` of some rows with standard noise `[b, s, k]`."""
    means, scales = tf.gather(means, rows), tf.gather(scales, rows)
    codes = means[:, None] + scales[:, None] * noise
    log_variances = 2.0 * tf.math.log(scales)
    return mixture_weights.Batch(tf.gather(x, rows), means, log_variances, codes, codes @ weight)


def random_batch(num_latents=2, num_draws=S):
    noise = np.random.default_rng(1).normal(size=(B, num_draws, num_latents)).astype(np.float32)
    return batch_of(np.arange(B), noise, *toy(num_latents))


def fits_of(batch):
    """Loop: log P(x_i|z_m), `[b, b * s]`."""
    logits = batch.outputs.numpy().reshape(-1, D)
    return np.array([[reference_gae.log_bernoulli(x, row) for row in logits] for x in batch.x.numpy()])


def own_fits(batch):
    fits = fits_of(batch).reshape(B, B, -1)
    return np.array([fits[i, i] for i in range(B)])


def log_weights(name, batch, **options):
    return mixture_weights.OBJECTIVES[name](batch, LAW, N, **options)[0]


def test_self_bound_equals_the_loop():
    batch = random_batch()
    np.testing.assert_allclose(log_weights("self", batch), own_fits(batch) - np.log(N * S), rtol=1e-5)


def test_path_weights_equal_the_loop():
    batch = random_batch()
    expected = reference_gae.path_weights(fits_of(batch), S, N)
    np.testing.assert_allclose(log_weights("path", batch), expected, rtol=1e-5)


@pytest.mark.parametrize("leave_one_out", [False, True])
def test_aggregate_weights_equal_the_loop(leave_one_out):
    batch = random_batch()
    scales = np.exp(0.5 * batch.log_variances.numpy())
    tables = own_fits(batch), batch.codes.numpy(), batch.means.numpy(), scales
    expected = reference_gae.aggregate_weights(*tables, N, leave_one_out)
    np.testing.assert_allclose(
        log_weights("aggregate", batch, leave_one_out=leave_one_out), expected, rtol=1e-4
    )


@pytest.mark.parametrize("name", MATRICES)
def test_responsibilities_sum_to_one(name):
    weights = mixture_weights.posterior(log_weights(name, random_batch()))
    np.testing.assert_allclose(tf.reduce_sum(weights, axis=1), np.ones(B), rtol=1e-6)


@pytest.mark.parametrize("name", ["path", "aggregate"])
def test_corrected_weights_are_unbiased_for_the_exact_likelihood(name):
    mean, exact = estimate_over_batches(lambda batch: log_weights(name, batch))
    np.testing.assert_allclose(mean, exact, rtol=0.01)


def test_naive_weights_are_too_high_for_the_exact_likelihood():
    def naive(batch):
        return LAW.matrix(batch.x, batch.flat(batch.outputs)) - np.log(B * batch.num_draws)

    mean, exact = estimate_over_batches(naive)
    assert mean > 1.02 * exact


def estimate_over_batches(weights_of, num_draws=2000):
    """Mean of exp(logp_0) over all batches that hold row 0, and the exact P(x_0)."""
    x, means, scales, weight = toy()
    weight = 4.0 * weight  # a decoder that tells rows apart, so that the own kernel matters
    rng = np.random.default_rng(2)
    values = []
    for others in itertools.combinations(range(1, N), B - 1):
        noise = rng.normal(size=(B, num_draws, 1)).astype(np.float32)
        batch = batch_of([0, *others], noise, x, means, scales, weight)
        values.append(np.exp(reference_gae.logsumexp(np.asarray(weights_of(batch))[0])))
    exact = reference_gae.quadrature(
        lambda z: reference_gae.log_bernoulli(x[0], z * weight[0]), means, scales, num_points=401
    )
    return np.mean(values), np.exp(exact)


@pytest.mark.parametrize("name", MATRICES)
def test_both_estimators_have_one_value(name):
    terms = mixture_weights.OBJECTIVES[name](random_batch(), LAW, N)
    values = [estimator(*terms) for estimator in mixture_weights.ESTIMATORS.values()]
    np.testing.assert_allclose(*values, rtol=1e-6)


@pytest.mark.parametrize("name", MATRICES)
def test_score_and_pathwise_gradients_agree_at_many_draws(name):
    gradients = [kernel_gradient(name, estimator) for estimator in mixture_weights.ESTIMATORS]
    a, b = (np.concatenate([g.ravel() for g in gradient]) for gradient in gradients)
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.95
    np.testing.assert_allclose(np.linalg.norm(a), np.linalg.norm(b), rtol=0.1)


@pytest.mark.parametrize("name", MATRICES)
def test_the_decoder_gradient_is_the_same_in_both_estimators(name):
    gradients = [decoder_gradient(name, estimator) for estimator in mixture_weights.ESTIMATORS]
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-5)


def kernel_gradient(name, estimator, num_draws=5000):
    """Gradient of the summed bounds in the means and log variances of the kernels."""
    x, means, _, weight = (tf.constant(v) for v in toy(2))
    log_variances = tf.ones([N, 2])  # wide and equal: else the weights of the own codes have heavy tails
    noise = tf.random.stateless_normal([N, num_draws, 2], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch([means, log_variances])
        codes = means[:, None] + tf.exp(0.5 * log_variances)[:, None] * noise
        codes = codes if estimator == "pathwise" else tf.stop_gradient(codes)
        batch = mixture_weights.Batch(x, means, log_variances, codes, codes @ weight)
        terms = mixture_weights.OBJECTIVES[name](batch, LAW, N)
        value = tf.reduce_sum(mixture_weights.ESTIMATORS[estimator](*terms))
    return [g.numpy() for g in tape.gradient(value, [means, log_variances])]


def decoder_gradient(name, estimator):
    x, means, scales, weight = toy(2)
    weight = tf.constant(weight)
    noise = np.random.default_rng(1).normal(size=(N, S, 2)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        terms = mixture_weights.OBJECTIVES[name](
            batch_of(np.arange(N), noise, x, means, scales, weight), LAW, N
        )
        value = tf.reduce_sum(mixture_weights.ESTIMATORS[estimator](*terms))
    return tape.gradient(value, weight)


def test_the_score_estimator_of_one_own_draw_is_the_gradient_of_the_log_kernel():
    x, means, scales, weight = toy()
    means = tf.constant(means)
    noise = np.random.default_rng(1).normal(size=(N, 1, 1)).astype(np.float32)
    codes = means[:, None] + scales[:, None] * noise
    with tf.GradientTape() as tape:
        tape.watch(means)
        batch = mixture_weights.Batch(x, means, 2.0 * np.log(scales), codes, codes @ weight)
        value = tf.reduce_sum(mixture_weights.score(*mixture_weights.self_bound(batch, LAW, N)))
    np.testing.assert_allclose(tape.gradient(value, means), noise[:, 0] / scales, rtol=1e-5)


def test_a_whole_batch_counts_every_kernel_alike():
    weights = mixture_weights.correction(tf.constant(N), N)
    np.testing.assert_allclose(weights, np.full((N, N), -np.log(N)), rtol=1e-6)


def test_leave_one_out_leaves_the_own_kernel_out():
    weights = mixture_weights.correction(tf.constant(B), N, leave_one_out=True).numpy()
    np.testing.assert_array_equal(np.diag(weights), np.full(B, -np.inf))
    np.testing.assert_allclose(weights[0, 1:], -np.log(B - 1), rtol=1e-6)


def test_leave_one_out_has_finite_gradients():
    x, means, scales, weight = (tf.constant(v) for v in toy(2))
    with tf.GradientTape() as tape:
        tape.watch([means, scales])
        batch = batch_of(np.arange(B), np.ones([B, S, 2], np.float32), x, means, scales, weight)
        value = tf.reduce_sum(mixture_weights.aggregate(batch, LAW, N, leave_one_out=True)[0])
    for gradient in tape.gradient(value, [means, scales]):
        assert np.all(np.isfinite(tf.convert_to_tensor(gradient)))


@pytest.mark.parametrize("name", MATRICES)
def test_a_batch_of_one_row_is_finite(name):
    x, means, scales, weight = toy()
    batch = batch_of([2], np.ones([1, S, 1], np.float32), x, means, scales, weight)
    assert np.all(np.isfinite(log_weights(name, batch)))


# -- likelihoods -------------------------------------------------------------------------------------------


def outputs_and_data():
    rng = np.random.default_rng(3)
    return rng.normal(size=(B, S, D)).astype(np.float32), rng.uniform(size=(B, D)).astype(np.float32)


LAWS = {
    "logits": (likelihoods.Bernoulli(True), lambda v: v, reference_gae.log_bernoulli),
    "probabilities": (likelihoods.Bernoulli(False), tf.sigmoid, reference_gae.log_bernoulli),
    "gaussian": (
        likelihoods.Gaussian(np.log(0.3)),
        lambda v: v,
        lambda x, m: reference_gae.log_gaussian(x, m, 0.3),
    ),
    "gaussian of logits": (
        likelihoods.Gaussian(np.log(0.3), logits=True),
        lambda v: v,
        lambda x, m: reference_gae.log_gaussian(x, 1 / (1 + np.exp(-np.float64(m))), 0.3),
    ),
}
EACH_LAW = pytest.mark.parametrize(("law", "of_raw", "twin"), LAWS.values(), ids=LAWS)


@EACH_LAW
def test_paired_likelihoods_equal_the_loop(law, of_raw, twin):
    raw, x = outputs_and_data()
    expected = [[twin(x[i], raw[i, s]) for s in range(S)] for i in range(B)]
    np.testing.assert_allclose(law.paired(x, of_raw(raw)), expected, rtol=1e-4, atol=1e-5)


@EACH_LAW
def test_likelihood_matrices_equal_the_loop(law, of_raw, twin):
    raw, x = outputs_and_data()
    expected = [[twin(row, output) for output in raw.reshape(-1, D)] for row in x]
    np.testing.assert_allclose(law.matrix(x, of_raw(raw.reshape(-1, D))), expected, rtol=1e-4, atol=1e-5)


@EACH_LAW
def test_likelihoods_agree_with_their_tfp_view(law, of_raw, twin):
    raw, x = outputs_and_data()
    outputs = of_raw(raw[:, 0])
    expected = law.distribution(outputs).log_prob(np.round(x))
    np.testing.assert_allclose(law.paired(np.round(x), outputs[:, None])[:, 0], expected, rtol=1e-4)
