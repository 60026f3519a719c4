"""Variational auto-encoder."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfmmd import checks, distribute, priors, seeds
from tfmmd.models import costs, posteriors, signatures
from tfmmd.models.autoencoder import Autoencoder
from tfmmd.registry import register

tfd = tfp.distributions
LIKELIHOODS = ("bernoulli", "gaussian")
SCORE_DRAWS = 32  # codes per row of the served score


@register
class VAE(Autoencoder):
    """Variational auto-encoder: a lower bound of the likelihood with a Gaussian posterior.

    loss = mean(-log p(x|z) + kl_weight * KL(Q(z|x) || N(0, prior.scale**2 I))),   z ~ Q(z|x)

    With `kl_weight=1` (and `reconstruction_weight=1`) the loss is minus the evidence lower bound, in nats.

    Args:
        encoder: Built `keras.Model`, `[b, ...]` -> `[b, 2 * k]`: means, then log variances; or two outputs
            `[b, k]`.
        decoder: Built `keras.Model`, `[b, k]` -> `[b, ...]`: probabilities (sigmoid), logits with
            `logits=True`, or the Gaussian's mean.
        prior: A `tfmmd.priors.Normal` of size `k`; None is `Normal(k)`.
        likelihood: `"bernoulli"` for data in [0, 1] or `"gaussian"`.
        scale: Standard deviation of the Gaussian likelihood.
        logits: Whether the decoder ends in logits.
        kl_weight: Factor of the KL divergence, 1 for the bound.
        warmup_steps: Steps over which the factor rises linearly from 0; 0 is no warm-up.
        posterior: `"gaussian"` or a `posteriors.GaussianPosterior` with other clips.
        **kwargs: `reconstruction_weight`, a factor of -log p(x|z) in the loss, `seed`, `name`, `dtype`.

    Example:
        ```python
        encoder = tfmmd.networks.vae_encoder((8, 8, 1), 10, hidden=(64,))
        decoder = tfmmd.networks.vae_decoder(10, (8, 8, 1), hidden=(64,))
        model = tfmmd.models.VAE(encoder, decoder)
        model.compile(optimizer="adam")
        model.fit(images, epochs=10)
        model.sample(16, seed=1)
        ```

    Reference: [kingma2013]
    """

    config_names = (
        *("encoder", "decoder", "prior", "likelihood", "scale", "logits"),
        *("kl_weight", "warmup_steps", "posterior", "reconstruction_weight"),
    )
    loss_names = ("loss", "reconstruction_loss", "latent_loss")

    def __init__(
        self,
        encoder,
        decoder,
        *,
        prior=None,
        likelihood="bernoulli",
        scale=1.0,
        logits=False,
        kl_weight=1.0,
        warmup_steps=0,
        posterior="gaussian",
        **kwargs,
    ):
        checks.one_of("likelihood", likelihood, LIKELIHOODS)
        _check_gaussian(posterior, prior)
        cost = "cross_entropy" if likelihood == "bernoulli" else costs.GaussianCost(scale)
        super().__init__(encoder, decoder, prior, cost=cost, logits=logits, posterior=posterior, **kwargs)
        self.likelihood, self.scale = likelihood, checks.positive_number("scale", scale)
        self.kl_weight = checks.non_negative("kl_weight", kl_weight)
        self.warmup_steps = int(checks.non_negative("warmup_steps", warmup_steps))

    def latent_cost(self, codes, outputs, step, training):
        return distribute.mean(self.kl_divergence(outputs))

    def kl_divergence(self, outputs):
        """KL(Q(z|x) || prior) `[b]` of the encoder's outputs `[b, 2 * k]`, in closed form.

        KL = 1/2 sum((mean**2 + variance) / s**2 - 1 - log(variance / s**2)),   s = prior.scale
        """
        mean, log_variance = self.posterior.moments(outputs)
        relative = log_variance - 2.0 * math.log(self.prior.scale)
        square = tf.square(mean / self.prior.scale)
        return 0.5 * tf.reduce_sum(square + tf.exp(relative) - 1.0 - relative, axis=-1)

    def current_latent_weight(self, step, training):
        if not (training and self.warmup_steps):
            return self.kl_weight
        return self.kl_weight * tf.minimum(tf.cast(step, tf.float32) / self.warmup_steps, 1.0)

    def likelihood_distribution(self, latent):
        """The TFP distribution p(x|z) of codes `[b, k]`, batch `[b]`."""
        outputs = tf.cast(self.decoder(latent, training=False), tf.float32)
        if self.likelihood == "gaussian":
            law = tfd.Normal(self.activate(outputs), self.scale)
        else:
            law = tfd.Bernoulli(logits=outputs) if self.logits else tfd.Bernoulli(probs=outputs)
        return tfd.Independent(law, len(self.sample_shape))

    def log_likelihood(self, x, num_draws=SCORE_DRAWS):
        """Importance-weighted lower bound of log p(x), tighter with more draws.

        bound = logsumexp_s(log p(x|z_s) + log p(z_s) - log Q(z_s|x)) - log S,   z_s ~ Q(z|x)

        The noise is the same for every row, so that a row's bound does not depend on the batch.

        Args:
            x: Data `[b, ...]`; binary for a Bernoulli likelihood, else this is no density.
            num_draws: Number of codes per row, `S`.

        Returns:
            float32 tensor `[b]`, in nats.

        Reference: [burda2016]
        """
        x, draws = tf.cast(x, tf.float32), checks.positive_int("num_draws", num_draws)
        posterior, prior = self.posterior_distribution(x), self.prior.distribution()
        noise = seeds.normal([draws, 1, self.latent_size], seeds.pair(self.seed, 0, "score"))
        codes = posterior.mean() + posterior.stddev() * noise
        outputs = self.decoder(tf.reshape(codes, [-1, self.latent_size]), training=False)
        repeated = tf.tile(x, [draws, *[1] * len(self.sample_shape)])
        cost = tf.reshape(self.reconstruction_cost(repeated, outputs), [draws, -1])
        weights = prior.log_prob(codes) - posterior.log_prob(codes) - cost
        return tf.reduce_logsumexp(weights, axis=0) - math.log(draws)

    def endpoints(self):
        score = (
            lambda x: {"score": signatures.per_row(self.log_likelihood, x)},
            [signatures.spec("x", self.sample_shape)],
        )
        return {**super().endpoints(), "score": score}


def _check_gaussian(posterior, prior):
    """A closed-form KL needs a Gaussian posterior and a normal prior."""
    if not isinstance(posteriors.resolve(posterior), posteriors.GaussianPosterior):
        checks.fail("VAE needs a Gaussian posterior.", f"posterior={posterior!r}", "Leave `posterior` out.")
    if prior is not None and not isinstance(prior, priors.Normal):
        checks.fail("VAE needs a normal prior.", f"prior={prior!r}", "Use tfmmd.priors.Normal.")
