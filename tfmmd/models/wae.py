"""Wasserstein auto-encoders: codes matched to the prior by MMD or by a critic."""

import numpy as np
import tensorflow as tf

from tfmmd import checks, discrepancies, kernels, priors
from tfmmd.models.autoencoder import Autoencoder
from tfmmd.models.base import batches_seen
from tfmmd.models.data_checks import warn_if_flat
from tfmmd.models.generator import check_prior, num_rows
from tfmmd.models.latent_critic import AdversarialAutoencoder
from tfmmd.registry import register

RECONSTRUCTION_WEIGHTS = {"squared": 0.05, "root": 0.2, "absolute": 0.02}  # tolstikhin/wae wae.py
CHECK_ROWS = 500
IMQ_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # tolstikhin/wae wae.py


def latent_kernel(prior):
    """The kernel of WAE-MMD for a prior: inverse multiquadrics at seven scales around its squared distances.

    c = 2 * k * scale**2 for a normal prior (E||z - z'||**2), 2 for the sphere, k * ((high - low) / 2)**2 for
    a uniform one; the scales are 0.1 c to 10 c.

    Args:
        prior: A `tfmmd.priors.Prior`.

    Returns:
        `tfmmd.kernels.InverseMultiquadric`.

    Reference: [tolstikhin2018]
    """
    if isinstance(prior, priors.Sphere):
        base = 2.0
    elif isinstance(prior, priors.Uniform):
        base = prior.size * ((prior.high - prior.low) / 2) ** 2
    elif isinstance(prior, priors.Normal):
        base = 2.0 * prior.size * prior.scale**2
    else:
        checks.fail("There is no default kernel for this prior.", f"prior={prior!r}", "Hand in `kernel`.")
    return kernels.InverseMultiquadric([base * scale for scale in IMQ_SCALES])


@register
class WAEMMD(Autoencoder):
    """Wasserstein auto-encoder with an MMD penalty on the aggregate posterior.

    loss = reconstruction_weight * mean(c(x, decode(z))) + latent_weight * mmd2(codes, prior samples)

    The estimator is unbiased, so the penalty may be slightly negative.

    Args:
        encoder: Built `keras.Model`, `[b, ...]` -> `[b, k]`, for a Gaussian posterior `[b, 2 * k]`, ending in
            a linear layer.
        decoder: Built `keras.Model`, `[b, k]` -> `[b, ...]`, ending in the data's range, or see `logits`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        kernel: A `tfmmd.kernels.Kernel` on codes; None is `latent_kernel(prior)`.
        cost: Transport cost: `"squared"`, `"absolute"`, `"root"`, `"cross_entropy"` or a function, see
            `Autoencoder`.
        latent_weight: Factor of the penalty, lambda.
        reconstruction_weight: Factor of the cost; None is that of the official code for the cost (0.05, 0.02,
            0.2) and 1 for others.
        shard_rows: As in `GMMN`.
        **kwargs: `logits`, `posterior`, `seed`, `name`, `dtype`.

    Example:
        ```python
        encoder = tfmmd.networks.wae_encoder_small((8, 8, 1), 4)
        decoder = tfmmd.networks.wae_decoder_small(4, (8, 8, 1))
        model = tfmmd.models.WAEMMD(encoder, decoder, tfmmd.priors.Normal(4))
        model.compile(optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5))
        model.fit(images, batch_size=100, epochs=10)
        ```

    Reference: [tolstikhin2018]
    """

    config_names = (*Autoencoder.config_names, "kernel", "latent_weight", "shard_rows")
    loss_names = ("loss", "reconstruction_loss", "latent_loss")

    def __init__(
        self,
        encoder,
        decoder,
        prior,
        kernel=None,
        *,
        cost="squared",
        latent_weight=10.0,
        reconstruction_weight=None,
        shard_rows=False,
        **kwargs,
    ):
        weight = default_weight(cost, reconstruction_weight)
        check_prior(prior)
        super().__init__(encoder, decoder, prior, cost=cost, reconstruction_weight=weight, **kwargs)
        self.kernel = kernels.check_kernel(kernel or latent_kernel(prior))
        self.kernel_networks = kernels.frozen_networks(self.kernel)
        self.latent_weight = checks.non_negative("latent_weight", latent_weight)
        self.shard_rows = bool(shard_rows)
        warn_if_flat(self.kernel, prior.rows(tf.range(256, dtype=tf.int64)), "prior samples")

    def latent_cost(self, codes, outputs, step, training):
        prior = self.draw_latent(num_rows(codes), step)
        return discrepancies.global_mmd2(codes, prior, self.kernel, shard_rows=self.shard_rows)

    def check_data(self, x):
        """Checks shape and range and, of arrays, that the kernel can tell the codes of their first rows apart."""
        super().check_data(x)
        if isinstance(x, np.ndarray):
            warn_if_flat(self.kernel, self.encode(x[:CHECK_ROWS]), "codes of the data")


@register
class WAEGAN(AdversarialAutoencoder):
    """Wasserstein auto-encoder with a critic on codes.

    Per batch one step of the auto-encoder, then the critic's.

    generator_loss = reconstruction_weight * mean(c(x, decode(z))) + latent_weight * latent_loss
    critic_loss, latent_loss: see `AdversarialAutoencoder`

    Args:
        encoder, decoder, prior, cost, reconstruction_weight: As in `WAEMMD`.
        critic: Built `keras.Model`, `[b, k]` -> logits `[b, 1]`.
        latent_weight: Factor of the latent loss, lambda.
        add_prior_density: Whether log p(z) is added to the critic's logit, so that the network only learns
            the log density of the codes (`gan_p_trick` of the official code).
        **kwargs: `logits`, `posterior`, `seed`, `name`, `dtype`.

    Reference: [tolstikhin2018]
    """

    config_names = (*AdversarialAutoencoder.config_names, "latent_weight", "add_prior_density")

    def __init__(
        self,
        encoder,
        decoder,
        critic,
        prior,
        *,
        cost="squared",
        latent_weight=10.0,
        reconstruction_weight=None,
        add_prior_density=False,
        **kwargs,
    ):
        weight = default_weight(cost, reconstruction_weight)
        super().__init__(encoder, decoder, critic, prior, cost=cost, reconstruction_weight=weight, **kwargs)
        self.latent_weight = checks.non_negative("latent_weight", latent_weight)
        self.add_prior_density = bool(add_prior_density)

    def train_step(self, data):
        x = self.unpack(data)
        step = tf.cast(batches_seen(self.generator_optimizer), tf.int64)
        generator = self.descend(
            self.generator_optimizer,
            self.generator_variables,
            lambda: self.generator_costs(x, step, training=True),
        )
        return self.track({**generator, **self.critic_turns(x, step)})

    def generator_costs(self, x, step, training):
        costs = self.train_costs(x, step, training)
        return {"generator_loss": costs.pop("loss"), **costs}

    def latent_cost(self, codes, outputs, step, training):
        return self.adversarial_cost(codes, training)

    def score_codes(self, codes, training):
        logits = super().score_codes(codes, training)
        if not self.add_prior_density:
            return logits
        return logits + self.prior.distribution().log_prob(codes)[:, None]


def default_weight(cost, weight):
    """The factor of a transport cost: the given one, or that of the official code."""
    if weight is not None:
        return weight
    return RECONSTRUCTION_WEIGHTS.get(cost, 1.0) if isinstance(cost, str) else 1.0
