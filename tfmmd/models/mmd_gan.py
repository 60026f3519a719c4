"""MMD GAN and the critics it is compared with."""

from tfmmd import checks, kernels, objectives, penalties
from tfmmd.models.gan import AdversarialModel
from tfmmd.registry import register


@register
class MMDGAN(AdversarialModel):
    """MMD GAN: a generator that minimises the MMD of critic features, the critic maximises it.

    generator_loss = mmd2(h(real), h(fake)), unbiased and without a root; critic_loss = -generator_loss
    + penalty_weight * mean((||grad witness|| - 1)**2) + activation_weight * mean(squares of the layers)

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        critic: Built `keras.Model`, `[b, ...]` -> features `[b, s]`; 16 features in the paper.
        prior: A `tfmmd.priors.Prior` of size `k`.
        kernel: A `tfmmd.kernels.Kernel` on critic features; None is rq*, the paper's rational quadratic
            mixture plus the linear kernel.
        penalty_weight: Weight of the witness gradient penalty; 0 switches it off.
        activation_weight: Weight of the penalty on the squares of the critic's layers; 0 switches it off.
        penalty_axes: Axes of one gradient norm; None is one norm per row (`penalties.GradientNorm`).
        estimator: As in `discrepancies.mmd2`.
        diagonal: As in `objectives.MMD`: `"constant"` is what the released code minimises.
        shard_rows: As in `GMMN`; the estimator must be `"unbiased"` or `"biased"` then.
        generator_ema: As in `AdversarialModel`.
        allow_batch_norm: As in `AdversarialModel`.
        **kwargs: `seed`, `name`, `dtype`.

    Example:
        ```python
        generator = tfmmd.networks.dcgan_generator(100, (28, 28, 1))
        critic = tfmmd.networks.dcgan_critic((28, 28, 1), output_size=16, filters=16)
        model = tfmmd.models.MMDGAN(generator, critic, tfmmd.priors.Uniform(100))
        model.compile(generator_optimizer=keras.optimizers.Adam(1e-4, 0.5, 0.9),
                      critic_optimizer=keras.optimizers.Adam(1e-4, 0.5, 0.9), critic_steps=5, clip_norm=1.0)
        model.fit(images, batch_size=6 * 64, epochs=20)
        ```

    Reference: [binkowski2018]
    """

    config_names = (
        "generator",
        "critic",
        "prior",
        "kernel",
        "penalty_weight",
        "activation_weight",
        "penalty_axes",
        "estimator",
        "diagonal",
        "shard_rows",
        "generator_ema",
        "allow_batch_norm",
    )

    def __init__(
        self,
        generator,
        critic,
        prior,
        kernel=None,
        *,
        penalty_weight=1.0,
        activation_weight=1.0,
        penalty_axes=None,
        estimator="unbiased",
        diagonal="exact",
        shard_rows=False,
        **kwargs,
    ):
        kernel = kernels.check_kernel(kernel or kernels.RationalQuadratic() + kernels.Linear())
        terms: list[penalties.Penalty] = []
        if penalty_weight:
            terms.append(penalties.WitnessGradient(penalty_weight, penalty_axes=penalty_axes))
        if activation_weight:
            terms.append(penalties.ActivationL2(activation_weight))
        objective = objectives.MMD(kernel, estimator, diagonal, shard_rows)
        super().__init__(generator, critic, prior, objective=objective, penalties=terms, **kwargs)
        self.kernel, self.estimator, self.diagonal = kernel, estimator, diagonal
        self.penalty_weight = checks.non_negative("penalty_weight", penalty_weight)
        self.activation_weight = checks.non_negative("activation_weight", activation_weight)
        self.penalty_axes, self.shard_rows = penalty_axes, objective.shard_rows


@register
class WGANGP(AdversarialModel):
    """Wasserstein GAN with gradient penalty.

    critic_loss = mean(f(fake)) - mean(f(real)) + penalty_weight * mean((||grad f|| - 1)**2)

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        critic: Built `keras.Model`, `[b, ...]` -> `[b, 1]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        penalty_weight: Weight of the gradient penalty.
        penalty_axes: Axes of one gradient norm; None is one norm per row.
        generator_ema: As in `AdversarialModel`.
        allow_batch_norm: As in `AdversarialModel`.
        **kwargs: `seed`, `name`, `dtype`.

    Reference: [gulrajani2017]
    """

    config_names = (
        "generator",
        "critic",
        "prior",
        "penalty_weight",
        "penalty_axes",
        "generator_ema",
        "allow_batch_norm",
    )

    def __init__(self, generator, critic, prior, *, penalty_weight=10.0, penalty_axes=None, **kwargs):
        terms = [penalties.GradientNorm(penalty_weight, penalty_axes=penalty_axes)]
        super().__init__(
            generator, critic, prior, objective=objectives.Wasserstein(), penalties=terms, **kwargs
        )
        self.penalty_weight, self.penalty_axes = (
            checks.non_negative("penalty_weight", penalty_weight),
            penalty_axes,
        )


@register
class CramerGAN(AdversarialModel):
    """Cramer GAN: an energy distance of critic features, with a surrogate for the critic.

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        critic: Built `keras.Model`, `[b, ...]` -> features `[b, s]`; 256 features in the paper.
        prior: A `tfmmd.priors.Prior` of size `k`.
        penalty_weight: Weight of the gradient penalty on the surrogate.
        variant: `"paper"` or `"reddit"`, see `objectives.Cramer`.
        penalty_axes: Axes of one gradient norm; None is one norm per row.
        generator_ema: As in `AdversarialModel`.
        allow_batch_norm: As in `AdversarialModel`.
        **kwargs: `seed`, `name`, `dtype`.

    Reference: [bellemare2017]
    """

    config_names = (
        "generator",
        "critic",
        "prior",
        "penalty_weight",
        "variant",
        "penalty_axes",
        "generator_ema",
        "allow_batch_norm",
    )

    def __init__(
        self,
        generator,
        critic,
        prior,
        *,
        penalty_weight=10.0,
        variant="paper",
        penalty_axes=None,
        **kwargs,
    ):
        terms = [penalties.WitnessGradient(penalty_weight, penalty_axes=penalty_axes)]
        objective = objectives.Cramer(variant)
        super().__init__(generator, critic, prior, objective=objective, penalties=terms, **kwargs)
        self.penalty_weight, self.variant, self.penalty_axes = (
            checks.non_negative("penalty_weight", penalty_weight),
            variant,
            penalty_axes,
        )
