"""Likelihood measures of runs: by draws from the prior, by the encoder, and Parzen scores of very many samples."""

import resource

import numpy as np
import tensorflow as tf

from tfmmd import checks, metrics, models, priors, seeds
from tfmmd.metrics import results
from tfmmd.models import likelihoods, mixture_likelihood
from trainers import anchors

SEED = 20_000_000  # far from the seeds of training
SAMPLES_PER_BLOCK = 10_000
MANY_SAMPLES = 550_000
FINE_GRID = tuple(round(0.05 + 0.01 * i, 2) for i in range(16))  # more samples, narrower kernels
MANY_SAMPLES_NOTE = (
    "the score rises with the number of samples: the published 456.71 and 460.73 nats of GAE lie over 100 above what "
    "10 000 samples, real training images or k-means centroids of MNIST score; compare at equal numbers only"
)


def log_likelihood(model, run_data, settings):
    """Mean test log-likelihood of a model of binary data, in nats, with the numbers of draws.

    Two lower bounds in expectation: codes drawn from the model's prior, as in the published tables, and
    importance sampling by the encoder. Grey images have no likelihood under a Bernoulli decoder: nothing is
    measured then.

    Args:
        model: A `GAE` with stored codes, or a `VAE`, with a Bernoulli likelihood.
        run_data: A `RunData`.
        settings: `Settings` with `binarize`, and optionally `likelihood_draws` (prior) of `likelihood_rows` test
            rows, `importance_draws` of the first `importance_rows` of them.

    Returns:
        Dict: measure -> the estimate's fields, or what is missing under "not measured".
    """
    if settings.binarize is None or model.likelihood != "bernoulli":
        return {"log_likelihood": {"not measured": "grey images have no density here: use binarize"}}
    x = run_data.test[: settings.get("likelihood_rows", len(run_data.test))]
    law = metrics.BernoulliLikelihood(logits_of(model))
    prior = metrics.sampled_log_likelihood(
        x, law, prior_draws(model, SEED), num_samples=settings.get("likelihood_draws", MANY_SAMPLES)
    )
    scores = {f"log_likelihood, {prior.num_draws} prior draws": prior.to_dict()}
    x = x[: settings.get("importance_rows", len(x))]
    for name in mixture_likelihood.PROPOSALS if isinstance(model, models.GAE) else ("posterior",):
        scores |= importance(model, x, name, settings.get("importance_draws", 50))
    return scores


def importance(model, x, proposal, num_draws):
    """The importance-sampled estimate of a GAE or VAE, with the median effective number of draws."""
    law = model.law if isinstance(model, models.GAE) else likelihoods.Bernoulli(model.logits)
    weights = mixture_likelihood.log_weights_by_blocks(model, law, x, num_draws, proposal=proposal)
    values, half = (mixture_likelihood.log_mean(w).numpy() for w in (weights, weights[:, ::2]))
    estimate = results.LikelihoodEstimate(
        mean=float(values.mean()),
        standard_error=float(values.std(ddof=1) / np.sqrt(len(values))),
        method=proposal,
        num_draws=num_draws,
        num_test=len(values),
        half_mean=float(half.mean()),
    )
    effective = float(np.median(mixture_likelihood.effective_draws(weights)))
    record = {**estimate.to_dict(), "median_effective_draws": effective}
    return {f"log_likelihood, {num_draws} {proposal} draws": record}


def many_samples_parzen(model, run_data, settings):
    """Parzen score of `settings.many_samples` samples (550 000), streaming, with the process's peak memory.

    In the units of scores, as `parzen`; images have finer bandwidths, tables the same.
    Not comparable with scores of 10 000 samples: the score rises with their number.
    """
    num_samples = settings.get("many_samples", MANY_SAMPLES)
    estimate = streaming_parzen(
        lambda: map(run_data.unit, sample_blocks(model, num_samples)),
        run_data.unit(run_data.test),
        run_data.unit(run_data.validation),
        anchors.bandwidths(run_data) or FINE_GRID,
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    record = {**estimate.to_dict(), "peak_memory_mb": memory, "note": MANY_SAMPLES_NOTE}
    return {f"parzen, {num_samples} samples": record}


def streaming_parzen(make_blocks, test, validation, bandwidths=FINE_GRID):
    """`metrics.parzen_log_likelihood` of samples that come in blocks `[b, ...]` and are never held together.

    Args:
        make_blocks: Function without arguments that gives the blocks, the same ones each time: they are read
            for the bandwidth, and again for the test points at that bandwidth.
        test: Test data `[n, ...]`.
        validation: Data `[v, ...]` that choose the bandwidth.
        bandwidths: Candidates.

    Returns:
        `metrics.results.ParzenEstimate`.
    """
    densities, count = log_densities(make_blocks(), validation, bandwidths)
    means = densities.mean(axis=1)
    best = int(np.argmax(means))
    values = log_densities(make_blocks(), test, bandwidths[best : best + 1])[0][0]
    return results.ParzenEstimate(
        mean=float(values.mean()),
        standard_error=float(values.std() / np.sqrt(len(test))),
        bandwidth=bandwidths[best],
        bandwidths=tuple(bandwidths),
        validation_means=tuple(float(m) for m in means),
        num_samples=count,
        num_test=len(test),
        at_grid_edge=best in (0, len(bandwidths) - 1),
    )


def log_densities(blocks, points, bandwidths):
    """Kernel log densities `[len(bandwidths), m]` of points `[m, ...]` on samples in blocks, and their number."""
    points = np.asarray(points, np.float32).reshape(len(points), -1)
    total, count = np.full([len(bandwidths), len(points)], -np.inf), 0
    for block in blocks:
        values = metrics.kernel_density_log_prob(block, points, bandwidths).numpy()
        total = np.logaddexp(total, values + np.log(len(block)))
        count += len(block)
    return total - np.log(count), count


def sample_blocks(model, num_samples):
    """The model's samples in blocks; of a GAE stratified over its components."""
    draw = _stratified(model) if isinstance(model.prior, priors.DataMixture) else _sampled(model)
    for start in range(0, checks.positive_int("many_samples", num_samples), SAMPLES_PER_BLOCK):
        yield draw(min(SAMPLES_PER_BLOCK, num_samples - start), start)


def _stratified(model):
    codes = prior_draws(model, SEED)
    return lambda number, start: model.decode(codes(number, start)).numpy()


def _sampled(model):
    return lambda number, start: model.sample(number, seed=SEED + start).numpy()


def prior_draws(model, seed):
    """Function of a number and a block's index to codes `[number, k]` of the model's prior.

    Of a mixture the components are taken in rounds without replacement, over all blocks together.
    """
    if not isinstance(model.prior, priors.DataMixture):
        return metrics.latent_draws(model.prior, seed)
    drawn = [0]

    def draw(number, index):
        first, n = drawn[0], model.prior.num_components
        drawn[0] += number
        rounds = range(first // n, (first + number - 1) // n + 1)
        orders = [model.prior.stratified_components(n, seeds.pair(seed, r, "round")) for r in rounds]
        components = tf.concat(orders, axis=0)[first % n :][:number]
        return model.prior.place(
            components, seeds.normal([number, model.latent_size], seeds.pair(seed, first, "codes"))
        )

    return draw


def logits_of(model):
    """Function of codes `[b, k]` to the decoder's logits `[b, ...]`."""
    law = likelihoods.Bernoulli(model.logits)
    return tf.function(lambda z: law.logits_of(model.decoder(z, training=False)), reduce_retracing=True)
