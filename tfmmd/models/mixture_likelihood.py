"""Likelihoods of held-out data under the stored mixture of a generative auto-encoder."""

import math

import numpy as np
import tensorflow as tf

from tfmmd import checks, seeds
from tfmmd.models.generator import flatten
from tfmmd.models.likelihoods import log_normal

NUM_NEIGHBOURS = 20  # stored kernels of the defensive proposal
COMPONENTS_PER_BLOCK = 2000
CODES_PER_BLOCK = 5000  # decoded at a time


def log_mean(log_weights):
    """log of the mean over draws of weights `[b, s]`, `[b]`."""
    return tf.reduce_logsumexp(log_weights, axis=1) - math.log(log_weights.shape[1])


def effective_draws(log_weights):
    """Effective number of draws behind each row's estimate, `[b]`, of weights `[b, s]`: under 3 is poor."""
    return tf.exp(
        2.0 * tf.reduce_logsumexp(log_weights, axis=1) - tf.reduce_logsumexp(2.0 * log_weights, axis=1)
    )


def log_weights(model, law, x, num_draws, *, proposal="posterior"):
    """log P(x|z_s) + log P(z_s) - log r(z_s) of codes z_s ~ r, `[b, s]`.

    The noise is the same for every row, so that a row's weights do not depend on the batch.

    Args:
        model: A `GAE` with stored codes; with the proposal `"posterior"` any auto-encoder with a Gaussian
            posterior and a prior.
        law: The `likelihoods.Bernoulli` or `likelihoods.Gaussian` of its decoder.
        x: Data `[b, ...]`.
        num_draws: Codes per row, `s`.
        proposal: `"posterior"` or `"defensive"`, see `GAE.log_likelihood`.
    """
    draw = PROPOSALS[checks.one_of("proposal", proposal, PROPOSALS)]
    codes, log_density = draw(model, x, checks.positive_int("num_draws", num_draws))
    rows = flatten(tf.cast(x, tf.float32))
    flat = tf.reshape(codes, [-1, model.latent_size])
    outputs = tf.reshape(model.decoder(flat, training=False), [-1, num_draws, rows.shape[1]])
    log_prior = tf.reshape(model.prior.log_prob(flat), [-1, num_draws])
    return law.paired(rows, outputs) + log_prior - log_density


def log_weights_by_blocks(model, law, x, num_draws, *, proposal="posterior"):
    """`log_weights` of any number of rows as a NumPy array, compiled, in blocks of bounded memory."""
    size = max(1, CODES_PER_BLOCK // num_draws)

    @tf.function(input_signature=[tf.TensorSpec([None, *x.shape[1:]])], autograph=False)
    def of_block(block):
        return log_weights(model, law, block, num_draws, proposal=proposal)

    blocks = (tf.cast(x[start : start + size], tf.float32) for start in range(0, len(x), size))
    return np.concatenate([of_block(block) for block in blocks])


def from_posterior(model, x, num_draws):
    """Codes `[b, s, k]` from P(z|x) and their log density `[b, s]`."""
    means, log_variances = (v[:, None] for v in model.posterior.moments(model.encoder_outputs(x)))
    codes = means + tf.exp(0.5 * log_variances) * _noise(model, num_draws)
    return codes, log_normal(codes, means, log_variances)


def defensive(model, x, num_draws):
    """Half from P(z|x), half from the stored kernels that explain x best; as `from_posterior`.

    r(z) = a * P(z|x) + (1 - a) / 20 * sum over the best 20 of P(z|x_j),   a = share of the first half
    """
    num_own = (num_draws + 1) // 2
    own, _ = from_posterior(model, x, num_own)
    best = nearest_components(model, x, min(NUM_NEIGHBOURS, model.num_components))
    means, scales = (tf.gather(tf.convert_to_tensor(v), best) for v in (model.code_means, model.code_scales))
    pair = seeds.pair(model.seed, 1, "score")
    chosen = seeds.uniform([num_draws - num_own], pair, 0, best.shape[1], dtype=tf.int32)
    centres, widths = (tf.gather(v, chosen, axis=1) for v in (means, scales))
    codes = tf.concat([own, centres + widths * _noise(model, num_draws)[num_own:]], axis=1)
    return codes, _log_defensive(model, x, codes, means, scales, num_own / num_draws)


def _log_defensive(model, x, codes, means, scales, share):
    """log r `[b, s]` of codes `[b, s, k]`; the other kernels are `[b, c, k]`."""
    own = log_normal(codes, *(v[:, None] for v in model.posterior.moments(model.encoder_outputs(x))))
    if share == 1.0:
        return own
    others = log_normal(codes[:, :, None], means[:, None], 2.0 * tf.math.log(scales)[:, None])
    others = tf.reduce_logsumexp(others, axis=-1) - math.log(means.shape[1])
    return tf.reduce_logsumexp([own + math.log(share), others + math.log(1.0 - share)], axis=0)


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
    return seeds.normal([num_draws, model.latent_size], seeds.pair(model.seed, 0, "score"))


PROPOSALS = {"posterior": from_posterior, "defensive": defensive}
