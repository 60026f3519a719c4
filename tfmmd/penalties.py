"""Penalties on a critic: costs that need its gradients, its weights or its inner layers."""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfmmd import checks, distribute
from tfmmd.layers.maxout import Maxout
from tfmmd.layers.parameter_average import ParameterAverage
from tfmmd.registry import register


@dataclasses.dataclass(frozen=True)
class Move:
    """What a penalty may look at: one step of the critic, this replica's rows.

    Attributes:
        critic: Function of rows `[b, ...]` -> critic outputs `[b, s]` in training mode.
        witness: The objective's function of outputs (at, real, fake) -> `[b]`.
        real: Real rows `[b, ...]`.
        fake: Fake rows `[b, ...]`.
        real_outputs: Critic outputs `[b, s]` for the real rows.
        fake_outputs: Critic outputs `[b, s]` for the fake rows.
        activations: Outputs of the layers that the penalties asked for, of real and of fake rows.
        noise: Function of a number of rows -> uniform noise `[rows]` on [0, 1), new at every step.
    """

    critic: Callable
    witness: Callable
    real: tf.Tensor
    fake: tf.Tensor
    real_outputs: tf.Tensor
    fake_outputs: tf.Tensor
    activations: Sequence[tf.Tensor]
    noise: Callable


class Penalty:
    """Base of the penalties: a weighted cost, or a change of the critic's weights after its step.

    Attributes:
        independent_rows: Whether the formula is wrong for a critic that couples the rows of a batch.
    """

    independent_rows = False

    def layer_outputs(self, critic):
        """Symbolic outputs of the critic's layers that `Move.activations` must hold."""
        return []

    def __call__(self, move):
        """The weighted cost `[]` of the global batch, added to the critic's."""
        return tf.zeros([])

    def after_step(self, variables):
        """Changes the critic's variables after its optimizer step."""

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({settings})"


@register
class GradientNorm(Penalty):
    """Keeps the slope of the critic's output near a target between real and fake rows (WGAN-GP).

    weight * mean((||grad f(p)|| - target)**2) at p = real + a (fake - real), a uniform on [0, 1) per row,
    with f(p) = critic(p) and ||v|| = sqrt(sum(v**2) + epsilon)

    Args:
        weight: Zero or more.
        target: The wanted norm.
        penalty_axes: Axes of `[b, ...]` that a norm sums over; None takes all but the first: one norm per
            row. `(1,)` is what the released MMD GAN code does: a norm for each column and channel.
        epsilon: Added under the root.

    Reference: [gulrajani2017]
    """

    independent_rows = True

    def __init__(self, weight=10.0, *, target=1.0, penalty_axes=None, epsilon=1e-5):
        self.weight = checks.non_negative("weight", weight)
        self.target = checks.non_negative("target", target)
        self.penalty_axes = None if penalty_axes is None else tuple(int(axis) for axis in penalty_axes)
        self.epsilon = checks.non_negative("epsilon", epsilon)

    def value(self, outputs, move):
        """f at the points with critic `outputs` `[b, s]`, `[b]`."""
        return outputs[:, 0]

    def __call__(self, move):
        points = _between(move.real, move.fake, move.noise)
        with tf.GradientTape() as tape:
            tape.watch(points)
            total = tf.reduce_sum(self.value(move.critic(points), move))  # rows are independent
        slope = tf.cast(tape.gradient(total, points), total.dtype)
        axes = self._axes(slope)
        norms = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=axes) + self.epsilon)
        return self.weight * distribute.mean(tf.square(norms - self.target))

    def _axes(self, slope):
        axes = self.penalty_axes or tuple(range(1, len(slope.shape)))
        if not all(0 < axis < len(slope.shape) for axis in axes):
            checks.fail(
                f"`penalty_axes` must be axes of a batch of rank {len(slope.shape)}, without the first.",
                f"penalty_axes={self.penalty_axes!r}",
                "Leave it out for one norm per row.",
            )
        return axes

    def get_config(self):
        names = ("weight", "target", "penalty_axes", "epsilon")
        return {name: getattr(self, name) for name in names}


@register
class WitnessGradient(GradientNorm):
    """Keeps the slope of the objective's witness near a target between real and fake rows (MMD GAN).

    As `GradientNorm` with f = the objective's witness; for an MMD
    f(p) = mean(k(h(p), h(real))) - mean(k(h(p), h(fake))), differentiated also through h(real) and h(fake).

    Args:
        weight: Zero or more.
        target: The wanted norm.
        penalty_axes: As in `GradientNorm`.
        epsilon: Added under the root.

    Reference: [binkowski2018]
    """

    def __init__(self, weight=1.0, *, target=1.0, penalty_axes=None, epsilon=1e-5):
        super().__init__(weight, target=target, penalty_axes=penalty_axes, epsilon=epsilon)

    def value(self, outputs, move):
        return move.witness(outputs, move.real_outputs, move.fake_outputs)


@register
class ActivationL2(Penalty):
    """weight * sum over layers and over {real, fake} of mean(t**2), t the layer's output after activation.

    The layers are those that end with an activation (also inside of a wrapper such as `WeightNormalization`),
    `Maxout` layers, and the critic's own output. The critic must be a functional or sequential model with such
    layers, all of them its own: those of a model inside of it are out of reach.

    Args:
        weight: Zero or more.

    Raises:
        ValueError: From `layer_outputs`, for a critic in which the activations cannot be found.

    Reference: [binkowski2018], released code
    """

    def __init__(self, weight=1.0):
        self.weight = checks.non_negative("weight", weight)

    def layer_outputs(self, critic):
        if not hasattr(critic, "outputs") or not critic.outputs:
            checks.fail(
                "`ActivationL2` needs a functional or sequential critic.",
                f"critic={critic!r}",
                "Build the critic from keras.Input, or set activation_weight=0.",
            )
        activated = [layer for layer in critic.layers if _is_activated(layer)]
        nested = [layer.name for layer in activated if isinstance(_unwrapped(layer), keras.Model)]
        if nested or not activated:
            checks.fail(
                "`ActivationL2` needs activated layers that are the critic's own.",
                f"a critic with activations in the models {nested}" if nested else "a critic with none",
                "Build the critic of such layers as one model, or set activation_weight=0.",
            )
        inner = [layer.output for layer in activated]
        return [*(t for t in inner if t is not critic.outputs[0]), critic.outputs[0]]

    def __call__(self, move):
        squares = [tf.square(tf.cast(t, move.real_outputs.dtype)) for t in move.activations]
        return self.weight * tf.add_n([distribute.mean(s) for s in squares])

    def get_config(self):
        return {"weight": self.weight}


@register
class WeightClip(Penalty):
    """Clips the critic's weights to [-limit, limit] after each of its steps: the first Wasserstein GAN.

    Args:
        limit: Positive number.

    Reference: [arjovsky2017]
    """

    def __init__(self, limit=0.01):
        self.limit = checks.positive_number("limit", limit)

    def after_step(self, variables):
        for variable in variables:
            variable.assign(tf.clip_by_value(tf.convert_to_tensor(variable), -self.limit, self.limit))

    def get_config(self):
        return {"limit": self.limit}


@register
class HistoricalAveraging(ParameterAverage):
    """Keeps a player's parameters near the mean of their own history; for either player.

    weight * sum((theta - m_t)**2), m_t = m_(t-1) + (theta_t - m_(t-1)) / t, no gradient through m

    It damps the circling of two players around an equilibrium. The means are variables, saved with the model
    that holds this. In a step: `update(variables)`, then add `cost(variables)` to the player's cost.

    Args:
        weight: Zero or more; the paper names none.
        **kwargs: As in `keras.layers.Layer`.

    Example:
        ```python
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        history = HistoricalAveraging(weight=1.0)
        history.follow(layer.trainable_variables)
        history.update(layer.trainable_variables)
        cost = history.cost(layer.trainable_variables)
        ```

    Reference: [salimans2016]
    """

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = checks.non_negative("weight", weight)

    def cost(self, variables):
        """The penalty `[]` of the present values of `variables`."""
        self._check_followed(variables)
        distances = [
            tf.nn.l2_loss(tf.convert_to_tensor(variable.value) - tf.stop_gradient(mean.value))
            for variable, mean in zip(variables, self.averages)
        ]
        return 2.0 * self.weight * tf.add_n(distances)  # l2_loss is half the sum of squares, in one pass

    def get_config(self):
        config = super().get_config()
        config.pop("decay")
        return {**config, "weight": self.weight}


def _between(real, fake, noise):
    """Points real + a (fake - real), one uniform `a` for each row."""
    real = tf.cast(real, fake.dtype)  # under mixed precision a generator's output stays float32
    share = tf.cast(noise(tf.shape(real)[0]), real.dtype)
    share = tf.reshape(share, [-1] + [1] * (len(real.shape) - 1))
    return real + share * (fake - real)


_ACTIVATIONS = (
    *(keras.layers.LeakyReLU, keras.layers.ReLU, keras.layers.ELU, keras.layers.PReLU, keras.layers.Softmax),
    Maxout,
)


def _is_activated(layer):
    """Whether a layer's output has gone through a nonlinear activation; of a model, whether any layer's has."""
    layer = _unwrapped(layer)
    if isinstance(layer, keras.Model):
        return any(_is_activated(inner) for inner in layer.layers)
    if isinstance(layer, _ACTIVATIONS):
        return True
    return getattr(layer, "activation", None) not in (None, keras.activations.linear)


def _unwrapped(layer):
    """The layer inside of a wrapper, which may be wrapped itself."""
    return _unwrapped(layer.layer) if isinstance(layer, keras.layers.Wrapper) else layer
