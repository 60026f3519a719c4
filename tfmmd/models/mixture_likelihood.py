"""Likelihoods of held-out data under the stored mixture of a generative auto-encoder."""

import math

import tensorflow as tf

from tfmmd import checks, seeds
from tfmmd.models.generator import flatten

NUM_NEIGHBOURS = 20  # stored kernels of the defensive proposal
COMPONENTS_PER_BLOCK = 2000


def log_mean(log_weights):
    """log of the mean over draws of weights `[s, b]`, `[b]`."""
    return tf.reduce_logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


def effective_draws(log_weights):
    """Effective number of draws behind each row's estimate, `[b]`, of weights `[s, b]`: under 3 is poor."""
    return tf.exp(
        2.0 * tf.reduce_logsumexp(log_weights, axis=0) - tf.reduce_logsumexp(2.0 * log_weights, axis=0)
    )


def log_weights(model, x, num_draws, *, proposal="posterior"):
    """log P(x|z_s) + log P(z_s) - log r(z_s) of codes z_s ~ r, `[s, b]`.

    The noise is the same for every row, so that a row's weights do not depend on the batch.

    Args:
        model: A `GAE` with stored codes.
        x: Data `[b, ...]`.
        num_draws: Codes per row, `s`.
        proposal: `"posterior"` or `"defensive"`, see `GAE.log_likelihood`.
    """
    draw = PROPOSALS[checks.one_of("proposal", proposal, PROPOSALS)]
    codes, log_density = draw(model, x, checks.positive_int("num_draws", num_draws))
    return weigh(model, model.law, x, codes, log_density)


def weigh(model, law, x, codes, log_density):
    """`log_weights` of given codes `[s, b, k]` with log density r `[s, b]`; any model with a decoder and prior."""
    rows = flatten(tf.cast(x, tf.float32))

    def fit(z):
        outputs = flatten(model.decoder(z, training=False))
        return law.paired(rows, outputs[:, None])[:, 0]

    fits = tf.map_fn(fit, codes, parallel_iterations=1)
    log_prior = model.prior.log_prob(tf.reshape(codes, [-1, model.latent_size]))
    return fits + tf.reshape(log_prior, tf.shape(fits)) - log_density


def from_posterior(model, x, num_draws):
    """Codes `[s, b, k]` from P(z|x) and their log density `[s, b]`."""
    kernel = model.posterior_distribution(x)
    codes = kernel.mean() + kernel.stddev() * _noise(model, num_draws)
    return codes, kernel.log_prob(codes)


def defensive(model, x, num_draws):
    """Half from P(z|x), half from the stored kernels that explain x best; as `from_posterior`.

    r(z) = a * P(z|x) + (1 - a) / 20 * sum over the best 20 of P(z|x_j),   a = share of the first half
    """
    own = model.posterior_distribution(x)
    best = nearest_components(model, x, min(NUM_NEIGHBOURS, model.num_components))
    means, scales = (tf.gather(tf.convert_to_tensor(v), best) for v in (model.code_means, model.code_scales))
    num_own = (num_draws + 1) // 2
    pair = seeds.pair(model.seed, 1, "score")
    chosen = seeds.uniform([num_draws - num_own], pair, 0, best.shape[1], dtype=tf.int32)
    of_others = [tf.transpose(tf.gather(v, chosen, axis=1), [1, 0, 2]) for v in (means, scales)]
    of_own = [tf.repeat(v[None], num_own, axis=0) for v in (own.mean(), own.stddev())]
    centres, widths = (tf.concat(parts, axis=0) for parts in zip(of_own, of_others))
    codes = centres + widths * _noise(model, num_draws)
    return codes, _log_defensive(codes, own, means, scales, num_own / num_draws)


def _log_defensive(codes, own, means, scales, share):
    """log r `[s, b]` of codes `[s, b, k]`; the other kernels are `[b, c, k]`."""
    standard = (codes[:, :, None] - means) / scales
    size = 0.5 * codes.shape[-1] * math.log(2.0 * math.pi)
    others = tf.reduce_sum(-0.5 * tf.square(standard) - tf.math.log(scales), axis=-1) - size
    others = tf.reduce_logsumexp(others, axis=-1) - math.log(means.shape[1])
    if share == 1.0:
        return own.log_prob(codes)
    return tf.reduce_logsumexp(
        [own.log_prob(codes) + math.log(share), others + math.log(1.0 - share)], axis=0
    )


def nearest_components(model, x, num_nearest):
    """int32 `[b, c]`: the stored components whose decoded means explain each row best."""
    rows = flatten(tf.cast(x, tf.float32))
    best, where = tf.zeros([tf.shape(rows)[0], 0]), tf.zeros([tf.shape(rows)[0], 0], tf.int32)
    means = tf.convert_to_tensor(model.code_means)
    for start in range(0, model.num_components, COMPONENTS_PER_BLOCK):
        outputs = flatten(model.decoder(means[start : start + COMPONENTS_PER_BLOCK], training=False))
        fits = model.law.matrix(rows, outputs)
        here = tf.broadcast_to(start + tf.range(tf.shape(fits)[1])[None], tf.shape(fits))
        best, where = tf.concat([best, fits], axis=1), tf.concat([where, here], axis=1)
        best, order = tf.math.top_k(best, min(num_nearest, start + outputs.shape[0]))
        where = tf.gather(where, order, batch_dims=1)
    return where


def _noise(model, num_draws):
    return seeds.normal([num_draws, 1, model.latent_size], seeds.pair(model.seed, 0, "score"))


PROPOSALS = {"posterior": from_posterior, "defensive": defensive}
