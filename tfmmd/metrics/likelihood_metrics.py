"""Streaming metrics of the likelihood estimators: test data in batches, draws once for all of them."""

import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics import arrays
from tfmmd.metrics.held_rows import HeldRowsMetric
from tfmmd.metrics.likelihood import importance_log_likelihood, sampled_log_likelihood
from tfmmd.metrics.results import LikelihoodEstimate
from tfmmd.registry import register


class LikelihoodMetric(HeldRowsMetric):
    """Keeps test rows, so that latents are decoded once for all of them and the batch size is free.

    `result()` is the mean in nats, `estimate()` the `LikelihoodEstimate`. The model's functions are not part of
    the config: a loaded metric needs them set again.
    """

    sides = ("x",)
    functions: tuple[str, ...] = ()

    def update_state(self, x):
        """Adds a batch of test data `[b, ...]`."""
        arrays.rows("x", x)
        self.append("x", tf.convert_to_tensor(x))

    def check_functions(self):
        """Names the functions that a loaded metric still lacks."""
        missing = [name for name in self.functions if getattr(self, name) is None]
        if missing:
            checks.fail(
                f"The metric needs {', '.join(self.functions)}.",
                f"{missing[0]}=None",
                "They are not saved: set the attributes after loading.",
            )


@register
class SampledLogLikelihood(LikelihoodMetric):
    """Streaming `sampled_log_likelihood`: `update_state(x)` takes test data in batches.

    Args:
        log_likelihood: As in `sampled_log_likelihood`.
        draw_latents: As in `sampled_log_likelihood`.
        num_samples: Number of latents.
        block_size: Latents decoded at a time.
        max_rows: Most test rows to keep, a uniform subset of those seen; None keeps all.
        name: Name of the metric.

    Example:
        likelihood = BernoulliLikelihood(vae.decoder, logits=vae.logits)
        metric = SampledLogLikelihood(likelihood, latent_draws(vae.prior), num_samples=100_000)
        metric.update_state(test_batch)
        print(metric.estimate())
    """

    functions = ("log_likelihood", "draw_latents")

    def __init__(
        self,
        log_likelihood=None,
        draw_latents=None,
        *,
        num_samples,
        block_size=1000,
        name="sampled_log_likelihood",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.log_likelihood, self.draw_latents = log_likelihood, draw_latents
        self.num_samples = checks.positive_int("num_samples", num_samples)
        self.block_size = checks.positive_int("block_size", block_size)

    def estimate(self) -> LikelihoodEstimate:
        self.check_functions()
        settings = {"num_samples": self.num_samples, "block_size": self.block_size}
        return sampled_log_likelihood(
            self.rows["x"].array(), self.log_likelihood, self.draw_latents, **settings
        )

    def get_config(self):
        own = {"num_samples": self.num_samples, "block_size": self.block_size}
        return {**super().get_config(), **own}


@register
class ImportanceLogLikelihood(LikelihoodMetric):
    """Streaming `importance_log_likelihood`: `update_state(x)` takes test data in batches.

    Args:
        proposal: As in `importance_log_likelihood`.
        log_prior: As in `importance_log_likelihood`.
        log_likelihood: As in `importance_log_likelihood`.
        num_draws: Latents per test point.
        seed: Seed of the draws.
        block_size: Latents decoded at a time.
        max_rows: Most test rows to keep, a uniform subset of those seen; None keeps all.
        name: Name of the metric.

    Example:
        likelihood = BernoulliLikelihood(vae.decoder, logits=vae.logits)
        proposal = vae.posterior_distribution
        metric = ImportanceLogLikelihood(proposal, standard_normal_log_prob, likelihood, num_draws=200)
        metric.update_state(test_batch)
        print(metric.estimate())
    """

    functions = ("proposal", "log_prior", "log_likelihood")

    def __init__(
        self,
        proposal=None,
        log_prior=None,
        log_likelihood=None,
        *,
        num_draws,
        block_size=1000,
        name="importance_log_likelihood",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.proposal, self.log_prior, self.log_likelihood = proposal, log_prior, log_likelihood
        self.num_draws = checks.positive_int("num_draws", num_draws)
        self.block_size = checks.positive_int("block_size", block_size)

    def estimate(self) -> LikelihoodEstimate:
        self.check_functions()
        settings = {"num_draws": self.num_draws, "seed": self.seed, "block_size": self.block_size}
        x = self.rows["x"].array()
        return importance_log_likelihood(x, self.proposal, self.log_prior, self.log_likelihood, **settings)

    def get_config(self):
        own = {"num_draws": self.num_draws, "block_size": self.block_size}
        return {**super().get_config(), **own}
