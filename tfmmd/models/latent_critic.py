"""Auto-encoders whose codes are matched to the prior by a critic: the two-player engine, and AAE."""

import keras
import tensorflow as tf

from tfmmd import checks, distribute, registry
from tfmmd.models import players
from tfmmd.models.autoencoder import Autoencoder
from tfmmd.models.base import batches_seen
from tfmmd.models.generator import check_network, check_prior, num_rows
from tfmmd.registry import register


class AdversarialAutoencoder(Autoencoder):
    """Engine of auto-encoders with a critic on codes; the generator player is encoder and decoder.

    critic_loss = mean(softplus(-critic(prior))) + mean(softplus(critic(codes)))
    latent_loss = mean(softplus(-critic(codes)))

    The critic gives logits and tries to tell prior samples (real) from codes (fake).

    Args:
        encoder, decoder, prior, **kwargs: As in `Autoencoder`.
        critic: Built `keras.Model`, `[b, k]` -> logits `[b, 1]`.
    """

    config_names: tuple[str, ...] = ("encoder", "decoder", "critic", *Autoencoder.config_names[2:])
    compile_names: tuple[str, ...] = ("generator_optimizer", "critic_optimizer", "critic_steps")
    loss_names: tuple[str, ...] = (
        "generator_loss",
        "critic_loss",
        "reconstruction_loss",
        "latent_loss",
        "critic_accuracy",
    )

    def __init__(self, encoder, decoder, critic, prior, **kwargs):
        super().__init__(encoder, decoder, check_prior(prior), **kwargs)
        self.critic = check_critic(critic, prior.size)

    def compile(self, generator_optimizer="adam", critic_optimizer="adam", critic_steps=1, **kwargs):
        """Configures training.

        Args:
            generator_optimizer: Optimizer of encoder and decoder, or its name.
            critic_optimizer: Optimizer of the critic, or its name.
            critic_steps: Critic updates per batch, each with fresh prior samples.
            **kwargs: As in `keras.Model.compile`, without losses.
        """
        self._check_options(kwargs)
        keras.Model.compile(self, optimizer=None, **kwargs)
        self.critic_steps = checks.positive_int("critic_steps", critic_steps)
        self.generator_optimizer, self.critic_optimizer = players.optimizers(
            generator_optimizer=(generator_optimizer, [self.encoder, self.decoder]),
            critic_optimizer=(critic_optimizer, [self.critic]),
        )

    @property
    def generator_variables(self):
        """Variables of encoder and decoder."""
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    def test_costs(self, x, step):
        codes = self.infer(x, step, training=False)[0]
        generator = self.generator_costs(x, step, training=False)
        return {**generator, **self.critic_costs(codes, step, 0, training=False)}

    def critic_turns(self, x, step):
        """The critic's updates on a batch; returns the costs of the last one."""
        codes = self.infer(x, step, training=True)[0]
        for turn in range(self.critic_steps):
            costs = self.descend(
                self.critic_optimizer,
                self.critic.trainable_variables,
                lambda turn=turn: self.critic_costs(codes, step, turn, training=True),
            )
        return costs

    def critic_costs(self, codes, step, turn, training):
        """The critic's costs on a batch of codes `[b, k]`."""
        prior = self.draw_latent(num_rows(codes), step, f"critic_latent_{turn}")
        real, fake = self.score_codes(prior, training), self.score_codes(codes, training)
        cost = distribute.mean(tf.nn.softplus(-real)) + distribute.mean(tf.nn.softplus(fake))
        correct = [distribute.mean(tf.cast(sign, tf.float32)) for sign in (real > 0.0, fake <= 0.0)]
        return {"critic_loss": cost, "critic_accuracy": 0.5 * (correct[0] + correct[1])}

    def score_codes(self, codes, training):
        """The critic's logits `[b, 1]` of codes `[b, k]`."""
        return tf.cast(self.critic(codes, training=training), tf.float32)

    def adversarial_cost(self, codes, training):
        """The encoder's cost for being told from the prior (non-saturating)."""
        return distribute.mean(tf.nn.softplus(-self.score_codes(codes, training=training)))


@register
class AAE(AdversarialAutoencoder):
    """Adversarial auto-encoder: per batch a reconstruction step, a critic step and an encoder step.

    generator_loss = mean(cost(x, decode(z)))          encoder and decoder
    critic_loss, latent_loss: see `AdversarialAutoencoder`; latent_loss moves the encoder alone

    Args:
        encoder: Built `keras.Model`, `[b, ...]` -> `[b, k]` (`[b, 2 * k]` for a Gaussian posterior).
        decoder: Built `keras.Model`, `[b, k]` -> `[b, ...]`, ending in the data's range, or see `logits`.
        critic: Built `keras.Model`, `[b, k]` -> logits `[b, 1]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        cost: Reconstruction cost, see `Autoencoder`; the paper's is `"squared"`.
        **kwargs: `logits`, `posterior`, `reconstruction_weight`, `seed`, `name`, `dtype`.

    Reference: [makhzani2015]
    """

    compile_names = (*AdversarialAutoencoder.compile_names, "encoder_optimizer")

    def __init__(self, encoder, decoder, critic, prior, *, cost="squared", **kwargs):
        super().__init__(encoder, decoder, critic, prior, cost=cost, **kwargs)

    def compile(
        self,
        generator_optimizer="adam",
        critic_optimizer="adam",
        critic_steps=1,
        encoder_optimizer=None,
        **kwargs,
    ):
        """Configures training.

        Args:
            generator_optimizer: Optimizer of the reconstruction step, or its name.
            critic_optimizer: Optimizer of the critic, or its name.
            critic_steps: Critic updates per batch.
            encoder_optimizer: Optimizer of the encoder's adversarial step; None copies the critic's settings,
                as in the paper.
            **kwargs: As in `keras.Model.compile`, without losses.
        """
        players.check_separate(
            generator_optimizer=generator_optimizer,
            critic_optimizer=critic_optimizer,
            encoder_optimizer=encoder_optimizer,
        )
        super().compile(generator_optimizer, critic_optimizer, critic_steps, **kwargs)
        (self.encoder_optimizer,) = players.optimizers(
            encoder_optimizer=(encoder_optimizer or copy_of(self.critic_optimizer), [self.encoder])
        )

    def train_step(self, data):
        x = self.unpack(data)
        step = tf.cast(batches_seen(self.generator_optimizer), tf.int64)
        costs = self.descend(
            self.generator_optimizer,
            self.generator_variables,
            lambda: self.train_costs(x, step, training=True),
        )
        critic = self.critic_turns(x, step)
        latent = self.descend(
            self.encoder_optimizer,
            self.encoder.trainable_variables,
            lambda: {"latent_loss": self.adversarial_cost(self.infer(x, step, True)[0], True)},
        )
        return self.track({**costs, **critic, **latent, "generator_loss": costs["loss"]})

    def generator_costs(self, x, step, training):
        costs = self.train_costs(x, step, training)
        latent = self.adversarial_cost(self.infer(x, step, training)[0], training)
        return {**costs, "latent_loss": latent, "generator_loss": costs["loss"]}


def check_critic(critic, size):
    """Checks that a critic takes codes of `size` entries and gives one logit."""
    check_network("critic", critic, inputs=size)
    if tuple(critic.output_shape[1:]) not in ((1,), ()):
        checks.fail(
            "`critic` must give one logit per code, [b, 1].",
            f"critic.output_shape={critic.output_shape}",
            "End it in a linear layer of one unit.",
        )
    return critic


def copy_of(optimizer):
    """A new optimizer with the settings of another."""
    return registry.deserialize(registry.serialize(optimizer))
