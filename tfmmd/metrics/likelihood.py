"""Log-likelihood of models with a decoder: the mean over latents, by the prior or by an encoder.

Both are lower bounds in expectation that rise with the number of draws. Never compare numbers across kinds of
binarisation, nor Bernoulli numbers with kernel density scores.
"""

import math

import numpy as np
import tensorflow as tf

from tfmmd import checks, seeds
from tfmmd.metrics import arrays
from tfmmd.metrics.decoders import diagonal_normal_log_prob
from tfmmd.metrics.results import LikelihoodEstimate

_XLA_PAIRS = 250_000  # below this many pairs compiling costs more than it saves


def sampled_log_likelihood(
    x, log_likelihood, draw_latents, *, num_samples, block_size=1000
) -> LikelihoodEstimate:
    """Mean log-likelihood of `x` by latents from the prior, the estimator of the GAE tables.

    log p(x) ~ logsumexp_s(log p(x | z_s)) - log(S),  z_s ~ p(z)

    The same latents serve all test points. In ten dimensions it takes 1e5 to 1e6 latents: quote the number,
    watch `gain`. Where an encoder exists, `importance_log_likelihood` is far tighter.

    Args:
        x: Test data `[n, ...]`, in [0, 1] for a Bernoulli decoder.
        log_likelihood: A `BernoulliLikelihood`, a `GaussianLikelihood`, or a function of `x` `[n, ...]` and
            `z` `[b, k]` that gives log p(x_i | z_j) `[n, b]`.
        draw_latents: Function of a number and a block's index to that many latents `[number, k]`: draws from
            N(0, I) for a VAE or AAE, from the mixture of posteriors for a GAE. See `latent_draws`.
        num_samples: Number of latents, `S`.
        block_size: Latents decoded at a time; `n * block_size` floats of memory.

    Returns:
        A `LikelihoodEstimate`, in nats.

    Example:
        likelihood = BernoulliLikelihood(vae.decoder, logits=vae.logits)
        sampled_log_likelihood(x, likelihood, latent_draws(vae.prior, seed=1), num_samples=55_000)

    Reference: [kim2018]
    """
    num_samples = checks.positive_int("num_samples", num_samples)
    block_size = checks.positive_int("block_size", block_size)
    x = _data(x)
    table = getattr(log_likelihood, "table", log_likelihood)

    def log_sums(index, first, size):
        values = tf.convert_to_tensor(table(x, draw_latents(size, index)))
        _check_shape("log_likelihood", values, (len(x), size))
        return _log_sums(values)

    return _stream("prior", len(x), num_samples, block_size, log_sums)


def importance_log_likelihood(
    x, proposal, log_prior, log_likelihood, *, num_draws, seed=0, block_size=1000
) -> LikelihoodEstimate:
    """Mean log-likelihood of `x` by latents from an encoder, the bound of importance weighting.

    log p(x) >= E[logsumexp_s(log p(x | z_s) + log p(z_s) - log q(z_s | x)) - log(S)],  z_s ~ q(z | x)

    One draw gives the ELBO; papers report 200 to 5000. The draws do not depend on `block_size`.

    Args:
        x: Test data `[n, ...]`, in [0, 1] for a Bernoulli decoder.
        proposal: The encoder's law: a function of `x` to (mean, log-variance), both `[n, k]`, or to a TFP
            distribution with batch shape `[n]`, as the `posterior_distribution` of a VAE is.
        log_prior: Function of latents `[r, k]` to log p(z) `[r]`: `standard_normal_log_prob` for a VAE or
            AAE, the exact mixture density for a GAE.
        log_likelihood: A `BernoulliLikelihood`, a `GaussianLikelihood`, or a function of `x` `[r, ...]` and
            `z` `[r, k]` that gives log p(x_i | z_i) `[r]`.
        num_draws: Latents per test point, `S`.
        seed: Seed of the draws.
        block_size: Latents decoded at a time.

    Returns:
        A `LikelihoodEstimate`, in nats.

    Example:
        likelihood = BernoulliLikelihood(vae.decoder, logits=vae.logits)
        proposal = vae.posterior_distribution
        importance_log_likelihood(x, proposal, standard_normal_log_prob, likelihood, num_draws=200)

    Reference: [burda2016]
    """
    num_draws = checks.positive_int("num_draws", num_draws)
    block_size = checks.positive_int("block_size", block_size)
    x = _data(x)
    draw = _proposal_draw(proposal(x), len(x))
    pairs = getattr(log_likelihood, "pairs", log_likelihood)

    def log_sums(index, first, size):
        draws = [draw(seeds.pair(seed, first + i, "importance")) for i in range(size)]
        z, log_q = (tf.concat(parts, axis=0) for parts in zip(*draws))
        repeated = tf.tile(x, [size] + [1] * (x.shape.rank - 1))
        values = _weights(repeated, z, log_q, log_prior, pairs, block_size)
        return np.logaddexp.reduce(values.reshape(size, len(x)), axis=0)

    return _stream("encoder", len(x), num_draws, max(block_size // len(x), 1), log_sums)


def latent_draws(prior, seed=0):
    """The `draw_latents` of `sampled_log_likelihood` for a prior of `tfmmd.priors`.

    Args:
        prior: An object with `draw(num, seed_pair)`.
        seed: Seed of the draws.

    Returns:
        Function of a number and a block's index to latents `[number, k]`.
    """
    return lambda num, block_index: prior.draw(num, seeds.pair(seed, block_index, "likelihood"))


def _data(x):
    arrays.rows("x", x)
    x = tf.convert_to_tensor(x)
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)


def _stream(method, n, num_draws, block_size, log_sums):
    """Adds up blocks of draws in the logarithm: `log_sums(index, first draw, size)` gives `[n]`."""
    total, half, done = np.full(n, -np.inf), None, 0
    for index, size in enumerate(_block_sizes(num_draws, block_size)):
        if done and done == num_draws // 2:
            half = total
        total = np.logaddexp(total, log_sums(index, done, size))
        done += size
    return _estimate(method, total, half, num_draws)


def _block_sizes(total, block_size):
    """Sizes of blocks that sum to `total`, with an edge at `total // 2`."""
    for part in (total // 2, total - total // 2):
        for start in range(0, part, block_size):
            yield min(block_size, part - start)


def _log_sums(values):
    """float64 logsumexp over the columns of `[n, b]`, exact to float32 relative to the largest term."""
    large = values.shape.num_elements() >= _XLA_PAIRS
    top, sums = (_shifted_sums_xla if large else _shifted_sums)(values)
    return np.float64(top) + np.log(np.float64(sums))


def _shifted_sums(values):
    top = tf.reduce_max(values, axis=1)
    shift = tf.where(tf.math.is_finite(top), top, tf.zeros_like(top))  # -inf - -inf is NaN
    return shift, tf.reduce_sum(tf.exp(values - shift[:, None]), axis=1)


_shifted_sums_xla = tf.function(_shifted_sums, jit_compile=True, autograph=False)


def _proposal_draw(q, n):
    """Function of a seed pair to latents `[n, k]` and their log-density `[n]`."""
    if tf.is_tensor(q):
        checks.fail(
            "`proposal(x)` must be a pair (mean, log-variance) or a TFP distribution.",
            f"one tensor of shape {checks.shape_of(q)}",
            "Use a model's `posterior_distribution`, or tf.split(encoder(x), 2, axis=-1).",
        )
    if not isinstance(q, (tuple, list)):
        _check_shape("proposal(x).batch_shape", tf.zeros(q.batch_shape), (n,))
        return lambda pair: _with_log_prob(q, q.sample(seed=tf.cast(pair, tf.int32)))
    mean, log_variance = q
    _check_shape("proposal(x)", log_variance, checks.shape_of(mean))

    def draw(pair):
        z = mean + tf.exp(0.5 * log_variance) * seeds.normal(mean.shape, pair, mean.dtype)
        return z, diagonal_normal_log_prob(z, mean, log_variance)

    return draw


def _with_log_prob(q, z):
    return z, q.log_prob(z)


def _weights(x, z, log_q, log_prior, pairs, block_size):
    """float64 array `[r]`: log p(x | z) + log p(z) - log q(z | x)."""
    values = []
    for start in range(0, len(z), block_size):
        block = slice(start, start + block_size)
        likelihood, prior = pairs(x[block], z[block]), log_prior(z[block])
        for name, value in (("log_likelihood", likelihood), ("log_prior", prior)):
            _check_shape(name, value, (len(z[block]),))
        values.append(np.float64(likelihood) + np.float64(prior) - np.float64(log_q[block]))
    return np.concatenate(values)


def _estimate(method, log_sums, half_log_sums, num_draws):
    values = log_sums - math.log(num_draws)
    half = math.nan if half_log_sums is None else float(half_log_sums.mean() - math.log(num_draws // 2))
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return LikelihoodEstimate(float(values.mean()), error, method, num_draws, len(values), half)


def _check_shape(name, value, expected):
    if checks.shape_of(value) != tuple(expected):
        checks.fail(
            f"`{name}` must have shape {tuple(expected)}.",
            f"shape {checks.shape_of(value)}",
            "See the docstring for the two forms: every pair [n, b], or row by row [r].",
        )
