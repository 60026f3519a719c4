"""Measures of auto-encoders: how well codes match the prior, how well data are reconstructed."""

import numpy as np
import tensorflow as tf

from tfmmd import discrepancies, models, seeds

SEED = 20_000_000  # far from the seeds of training
MMD_BLOCKS = 10  # their spread gives the standard error
MMD_ROWS = 200  # codes and prior samples in a block, at most
BLOCK = 1000


def latent_mmd2(model, run_data, settings):
    """Unbiased MMD**2 between codes of test data, drawn from the posterior, and the prior, by blocks.

    The kernel is that of WAE-MMD for the prior, so that values of all systems with one prior compare.
    """
    rows = min(MMD_ROWS, len(run_data.test) // MMD_BLOCKS)
    x = tf.constant(run_data.test[: rows * MMD_BLOCKS])
    codes = model.infer(x, SEED, training=False)[0]
    prior = model.prior.draw(len(x), seeds.pair(SEED, 0, "latent_mmd2"))
    kernel = models.latent_kernel(model.prior)
    values = [
        float(discrepancies.mmd2(*pair, kernel))
        for pair in zip(tf.split(codes, MMD_BLOCKS), tf.split(prior, MMD_BLOCKS))
    ]
    error = float(np.std(values, ddof=1) / np.sqrt(MMD_BLOCKS))
    return {"latent_mmd2": {"mean": float(np.mean(values)), "standard_error": error, "num_rows": len(x)}}


def reconstruction(model, run_data, settings):
    """Mean squared error of test reconstructions, summed over an example with values in [0, 1]."""
    x, (low, high) = run_data.test, settings.value_range
    blocks = (x[i : i + BLOCK] for i in range(0, len(x), BLOCK))
    errors = [np.asarray(model.reconstruct(block)) - block for block in blocks]
    sums = (np.concatenate(errors).reshape(len(x), -1) ** 2).sum(axis=1) / (high - low) ** 2
    error = float(sums.std(ddof=1) / np.sqrt(len(x)))
    return {"reconstruction": {"mean": float(sums.mean()), "standard_error": error, "num_rows": len(x)}}
