"""Objectives of adversarial games: what each player minimises, from the critic's outputs.

An objective takes this replica's rows of critic outputs and gives costs of the global batch, so that a game
costs the same on one device or many. Arguments are `(real, fake)`, always in that order.
"""

import abc

import tensorflow as tf

from tfmmd import checks, discrepancies, distribute, kernels, registry
from tfmmd.registry import register


class Objective(abc.ABC):
    """Base of the objectives.

    Attributes:
        fake_batches: Number of independent batches of fakes that a step draws.
        output_size: Width of critic outputs that the formula needs; None takes any.
    """

    fake_batches = 1
    output_size: int | None = None

    @abc.abstractmethod
    def critic_cost(self, real, fake):
        """The critic's cost `[]` of its outputs `[b, s]` for real and fake rows."""

    @abc.abstractmethod
    def generator_cost(self, real, fake):
        """The generator's cost `[]` of critic outputs `[b, s]`."""

    def witness(self, at, real, fake):
        """What the critic believes of other points, `[b]`: high for real; the penalties take its slope.

        Args:
            at: Critic outputs at those points, `[b, s]`.
            real: Critic outputs for real rows, `[b, s]`.
            fake: Critic outputs for fake rows, `[b, s]`.
        """
        return at[:, 0]

    def check_critic(self, output_shape):
        """Checks the shape of a critic's output, a tuple with the batch axis first."""
        size = "s" if self.output_size is None else self.output_size
        if len(output_shape) != 2 or self.output_size not in (None, output_shape[1]):
            checks.fail(
                f"`{type(self).__name__}` needs critic outputs [b, {size}].",
                f"critic.output_shape={tuple(output_shape)}",
                f"End the critic with Flatten and Dense({16 if size == 's' else size}).",
            )

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**{name: registry.deserialize(value) for name, value in config.items()})

    def __repr__(self):
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.get_config())
        return f"{type(self).__name__}({settings})"


@register
class NonSaturating(Objective):
    """The original game on logits, with the generator cost that does not saturate.

    critic = (mean(softplus(-l_real) + (1 - a) l_real) + mean(softplus(l_fake))) / 2
    generator = mean(softplus(-l_fake))

    At the optimum of the critic D = a p_real / (p_real + p_fake); for equal laws and a = 1 its cost is log 2.

    Args:
        real_target: The critic's target `a` for real rows in (0, 1]; below 1 is one-sided label smoothing.

    Reference: [goodfellow2014], [salimans2016]
    """

    output_size = 1

    def __init__(self, real_target=1.0):
        self.real_target = checks.positive_number("real_target", real_target)
        if self.real_target > 1:
            checks.fail("`real_target` must lie in (0, 1].", f"real_target={real_target!r}", "Use 0.9.")

    def critic_cost(self, real, fake):
        of_real = tf.nn.softplus(-real) + (1.0 - self.real_target) * real
        return 0.5 * (distribute.mean(of_real) + distribute.mean(tf.nn.softplus(fake)))

    def generator_cost(self, real, fake):
        return distribute.mean(tf.nn.softplus(-fake))

    def get_config(self):
        return {"real_target": self.real_target}


@register
class Wasserstein(Objective):
    """The dual form of the Wasserstein distance.

    critic = mean(f(fake)) - mean(f(real)), generator = -mean(f(fake))

    The critic must be kept Lipschitz, by `penalties.GradientNorm` or `penalties.WeightClip`.

    Reference: [arjovsky2017], [gulrajani2017]
    """

    output_size = 1

    def critic_cost(self, real, fake):
        return distribute.mean(fake) - distribute.mean(real)

    def generator_cost(self, real, fake):
        return -distribute.mean(fake)


@register
class MMD(Objective):
    """The squared MMD of critic features: the generator minimises it, the critic maximises it.

    generator = mmd2(h(real), h(fake)), critic = -generator, witness(a) = mean(k(a, real)) - mean(k(a, fake))

    Args:
        kernel: A `tfmmd.kernels.Kernel` on critic features.
        estimator: As in `discrepancies.mmd2`.
        diagonal: `"exact"` leaves the pairs of a row with itself out. `"constant"` subtracts k(0, 0) for each
            of them, as the released code does: with a linear part c <a, b> this adds
            c (mean ||x||**2 / (m - 1) + mean ||y||**2 / (n - 1)).
        shard_rows: As in `discrepancies.global_mmd2`: whether each replica computes its own rows only.

    Reference: [binkowski2018]
    """

    def __init__(self, kernel, estimator="unbiased", diagonal="exact", shard_rows=False):
        self.kernel = kernels.deserialize(kernel)
        self.estimator = checks.one_of("estimator", estimator, ("unbiased", "biased", "linear", "block"))
        self.diagonal = checks.one_of("diagonal", diagonal, ("exact", "constant"))
        self.shard_rows = discrepancies.check_shard_rows(shard_rows, self.estimator)

    def generator_cost(self, real, fake):
        options = {"estimator": self.estimator, "shard_rows": self.shard_rows}
        value = discrepancies.global_mmd2(real, fake, self.kernel, **options)
        if self.diagonal == "constant":
            value += self._trace_left_in(real) + self._trace_left_in(fake)
        return value

    def critic_cost(self, real, fake):
        return -self.generator_cost(real, fake)

    def witness(self, at, real, fake):
        to_real = tf.reduce_mean(self.kernel(at, distribute.gather(real)), axis=1)
        return to_real - tf.reduce_mean(self.kernel(at, distribute.gather(fake)), axis=1)

    def _trace_left_in(self, x):
        """(mean(k(x, x)) - k(0, 0)) / (n - 1): what subtracting a constant trace leaves in."""
        origin = tf.zeros_like(x[:1])
        to_self = tf.cast(self.kernel.matching(x, x), x.dtype)
        rest = distribute.mean(to_self) - self.kernel(origin, origin)[0, 0]
        return rest / tf.cast(distribute.global_rows(x) - 1, x.dtype)

    def get_config(self):
        config = {"estimator": self.estimator, "diagonal": self.diagonal, "shard_rows": self.shard_rows}
        return {"kernel": registry.serialize(self.kernel), **config}


@register
class Cramer(Objective):
    """The Cramer GAN: an energy distance for the generator, its surrogate for the critic.

    With f(a, b) = ||a - b|| - ||a|| on critic outputs of real rows r and two independent fakes g, g2:
    critic = -mean(f(r, g) - f(g2, g)), generator = mean(||r - g|| + ||r - g2|| - ||g - g2||)

    ||a|| stands for the mean distance to the fakes, so that the critic's cost is not the energy distance.

    Args:
        variant: `"paper"`, or `"reddit"` for generator = mean(f(r, g) - f(g, g2)), critic = -generator.
        epsilon: Added under the roots of the norms.

    Reference: [bellemare2017], [binkowski2018]
    """

    fake_batches = 2

    def __init__(self, variant="paper", epsilon=1e-5):
        self.variant = checks.one_of("variant", variant, ("paper", "reddit"))
        self.epsilon = checks.non_negative("epsilon", epsilon)

    def critic_cost(self, real, fake, other):
        if self.variant == "reddit":
            return -self.generator_cost(real, fake, other)
        return distribute.mean(self._surrogate(other, fake) - self._surrogate(real, fake))

    def generator_cost(self, real, fake, other):
        if self.variant == "reddit":
            return distribute.mean(self._surrogate(real, fake) - self._surrogate(fake, other))
        return distribute.mean(self._norm(real - fake) + self._norm(real - other) - self._norm(fake - other))

    def witness(self, at, real, fake):
        return self._surrogate(at, fake)

    def _surrogate(self, a, b):
        return self._norm(a - b) - self._norm(a)

    def _norm(self, a):
        return tf.sqrt(tf.reduce_sum(tf.square(a), axis=1) + self.epsilon)

    def get_config(self):
        return {"variant": self.variant, "epsilon": self.epsilon}


@register
class SemiSupervised(Objective):
    """The K + 1 class game with K logits: classes 1..K are real, the logit of "fake" is fixed at 0.

    With Z(x) = sum(exp(logits)), D = Z / (Z + 1) is the probability of real and softmax(logits) that of a class:
    labelled = mean(log Z - logit_y)
    critic = real_weight * mean(softplus(-log Z(real))) + fake_weight * mean(softplus(log Z(fake)))
    generator = -mean(softplus(log Z(fake))), which saturates, as in the released code

    Args:
        real_weight: Weight of the real term: 0.5 in the released code, 1 in the paper.
        fake_weight: Weight of the fake term, likewise.

    Reference: [salimans2016]
    """

    def __init__(self, real_weight=0.5, fake_weight=0.5):
        self.real_weight = checks.non_negative("real_weight", real_weight)
        self.fake_weight = checks.non_negative("fake_weight", fake_weight)

    def labelled_cost(self, logits, labels):
        """Mean cross-entropy `[]` of logits `[b, K]` at labels `[b]` of any integer type."""
        labels = tf.cast(labels, tf.int64)
        return distribute.mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))

    def critic_cost(self, real, fake):
        of_real, of_fake = tf.nn.softplus(-self.log_evidence(real)), tf.nn.softplus(self.log_evidence(fake))
        return self.real_weight * distribute.mean(of_real) + self.fake_weight * distribute.mean(of_fake)

    def generator_cost(self, real, fake):
        return -distribute.mean(tf.nn.softplus(self.log_evidence(fake)))

    def log_evidence(self, logits):
        """log Z `[b]` of logits `[b, K]`: the logit of "real"."""
        return tf.reduce_logsumexp(logits, axis=1)

    def witness(self, at, real, fake):
        return self.log_evidence(at)

    def get_config(self):
        return {"real_weight": self.real_weight, "fake_weight": self.fake_weight}


@register
class FeatureMatching:
    """The generator's cost of matching the mean of a critic layer's features.

    "l2": mean(d**2), "l1": mean(|d|), over the features of d = mean(f(real)) - mean(f(fake))

    "l2" is the biased squared MMD under the linear kernel divided by the number of features.

    Args:
        norm: `"l2"` as for MNIST, or `"l1"` as for CIFAR and SVHN.

    Example:
        ```python
        cost = FeatureMatching("l2")(tf.zeros([5, 3]), tf.ones([4, 3]))  # 1.0
        ```

    Reference: [salimans2016]
    """

    def __init__(self, norm="l2"):
        self.norm = checks.one_of("norm", norm, ("l2", "l1"))

    def __call__(self, real, fake):
        """The cost `[]` of real and fake features `[n, d]`, `[m, d]`, over the global batch."""
        checks.same_features(real, fake, ("real", "fake"))
        means = [tf.reduce_mean(distribute.gather(tf.cast(f, tf.float32)), axis=0) for f in (real, fake)]
        difference = means[0] - means[1]
        return tf.reduce_mean(tf.square(difference) if self.norm == "l2" else tf.abs(difference))

    def get_config(self):
        return {"norm": self.norm}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
