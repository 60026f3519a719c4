"""Improved GAN without labels: every technique of the paper as a switch."""

from tfmmd import checks, objectives, penalties
from tfmmd.models.classification import features_of, initialize_players
from tfmmd.models.gan import AdversarialModel
from tfmmd.registry import register


@register
class ImprovedGAN(AdversarialModel):
    """A GAN with the techniques of "Improved techniques for training GANs", each of them a switch.

    Label smoothing, feature matching and historical averaging are settings of this model; minibatch
    discrimination, weight normalisation and virtual batch normalisation are layers, switches of the networks
    in `tfmmd.networks.improved_gan`. For labels see `SemiSupervisedGAN`. The logs' `historical_penalty` is the mean
    of the two players' penalties.

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        critic: Built `keras.Model`, `[b, ...]` -> logits `[b, 1]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        real_target: The critic's target for real rows in (0, 1]; below 1 is one-sided label smoothing.
        feature_layer: Name of a layer of the critic: the generator matches its mean features instead of
            deceiving the critic.
        norm: Of feature matching, `"l2"` or `"l1"`.
        historical_weight: Weight of `penalties.HistoricalAveraging` of both players; 0 is off.
        generator_ema: As in `AdversarialModel`.
        **kwargs: `penalties` and `allow_batch_norm` as in `AdversarialModel`, `seed`, `name`, `dtype`.

    Example:
        ```python
        generator = tfmmd.networks.improved_gan_mnist_generator(100, (28, 28, 1))
        critic = tfmmd.networks.improved_gan_mnist_critic((28, 28, 1), 1, minibatch_discrimination=True)
        model = tfmmd.models.ImprovedGAN(generator, critic, tfmmd.priors.Uniform(100, 0.0, 1.0), real_target=0.9)
        model.compile(generator_optimizer=keras.optimizers.Adam(3e-4, 0.5),
                      critic_optimizer=keras.optimizers.Adam(3e-4, 0.5))
        model.initialize(images[:500])
        model.fit(images, batch_size=2 * 100, epochs=20)
        model.sample(16, seed=1)
        ```

    Reference: [salimans2016]
    """

    config_names = (
        "generator",
        "critic",
        "prior",
        "real_target",
        "feature_layer",
        "norm",
        "historical_weight",
        "penalties",
        "generator_ema",
        "allow_batch_norm",
    )
    loss_names = ("generator_loss", "critic_loss", "historical_penalty")
    default_critic_steps = 1

    def __init__(
        self,
        generator,
        critic,
        prior,
        *,
        real_target=0.9,
        feature_layer=None,
        norm="l2",
        historical_weight=0.0,
        **kwargs,
    ):
        objective = objectives.NonSaturating(real_target)
        matching = objectives.FeatureMatching(norm)
        super().__init__(generator, critic, prior, objective=objective, **kwargs)
        self.real_target, self.norm, self.matching = objective.real_target, norm, matching
        self.feature_layer = feature_layer
        self._features = None if feature_layer is None else features_of(critic, feature_layer)
        self.historical_weight = checks.non_negative("historical_weight", historical_weight)
        self.generator_history = self._history(generator)
        self.critic_history = self._history(critic)

    def _history(self, network):
        if not self.historical_weight:
            return None
        history = penalties.HistoricalAveraging(self.historical_weight)
        history.follow(network.trainable_variables)
        return history

    def initialize(self, x):
        """Data-dependent initialisation of critic and generator; call it once, before training.

        Args:
            x: Real rows `[b, ...]`, some hundred; the paper takes 500.
        """
        initialize_players(self, x)

    def fit(self, x=None, y=None, *args, **kwargs):
        """As `AdversarialModel.fit`; `y` is refused, labels in a dataset are left aside."""
        if y is not None:
            checks.fail(
                "`ImprovedGAN` learns without labels.", "y beside x", "Use SemiSupervisedGAN, or leave y out."
            )
        return super().fit(x, None, *args, **kwargs)

    def critic_step(self, real):
        if self.critic_history:
            self.critic_history.update(self.critic.trainable_variables)
        return super().critic_step(real)

    def generator_step(self, real):
        if self.generator_history:
            self.generator_history.update(self.generator.trainable_variables)
        return super().generator_step(real)

    def critic_costs(self, real, fakes, step, training):
        costs = super().critic_costs(real, fakes, step, training)
        return self._with_history(costs, self.critic_history, self.critic, training)

    def generator_costs(self, real, fakes, training):
        if self._features is None:
            costs = super().generator_costs(real, fakes, training)
        else:
            features = [self._features(batch, training) for batch in (real, fakes[0])]
            costs = {"generator_loss": self.matching(*features)}
        return self._with_history(costs, self.generator_history, self.generator, training)

    def _with_history(self, costs, history, network, training):
        if not (history and training):
            return costs
        penalty = history.cost(network.trainable_variables)
        name = next(iter(costs))
        return {**costs, name: costs[name] + penalty, "historical_penalty": penalty}
