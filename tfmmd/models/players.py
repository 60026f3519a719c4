"""What the two players of an adversarial model share: checks, data for each step, views, moving average."""

import itertools

import keras
import tensorflow as tf

from tfmmd import checks
from tfmmd.layers import MinibatchDiscrimination
from tfmmd.models.generator import full_precision, layers_in

COUPLING = (keras.layers.BatchNormalization, MinibatchDiscrimination)  # rows of a batch see each other

# -- checks ------------------------------------------------------------------------------------------------


def check_pair(generator, critic, objective):
    """Checks that the critic takes what the generator gives, and gives what the objective takes."""
    made, taken = getattr(generator, "output_shape", None), getattr(critic, "input_shape", None)
    if isinstance(made, tuple) and isinstance(taken, tuple) and made[1:] != taken[1:]:
        checks.fail(
            "`critic` must take what `generator` makes.",
            f"generator.output_shape={made}, critic.input_shape={taken}",
            "Build both for the same sample shape.",
        )
    objective.check_critic(tuple(critic.output_shape))


def check_penalties(critic, penalties, allow_batch_norm):
    """Refuses a critic that couples rows where a penalty differentiates each row by itself."""
    needing = [type(penalty).__name__ for penalty in penalties if penalty.independent_rows]
    coupling = layers_in(critic, COUPLING)
    if needing and coupling and not allow_batch_norm:
        checks.fail(
            f"`{needing[0]}` needs a critic without batch norm or minibatch discrimination: "
            "each row's slope must be its own.",
            f"a critic with {type(coupling[0]).__name__}",
            "Remove it (or use LayerNormalization), or pass allow_batch_norm=True.",
        )


def check_decay(decay):
    """Returns a moving average's decay, a float in [0, 1) or None."""
    if decay is None:
        return None
    if not 0 <= float(decay) < 1:
        checks.fail("`generator_ema` must lie in [0, 1).", f"generator_ema={decay!r}", "Use 0.999.")
    return float(decay)


def check_batch(rows, critic_steps, num_replicas=1):
    """Checks that a batch of `rows` (None: unknown) can be divided among the players' steps on every replica."""
    parts = (critic_steps + 1) * num_replicas
    if rows is not None and (rows % parts or rows < parts):
        best = max(1, round(rows / parts))
        checks.fail(
            f"A batch must hold (critic_steps + 1) * b = {critic_steps + 1} * b rows, fresh data for every step"
            + (f", b a multiple of the {num_replicas} replicas." if num_replicas > 1 else "."),
            f"{rows} rows with critic_steps={critic_steps}",
            f"Use batch_size={parts * best}, for steps of {best * num_replicas} rows.",
        )


# -- optimizers --------------------------------------------------------------------------------------------


def optimizers(**players):
    """The optimizers of players, checked and built on their variables.

    Args:
        **players: Name of the optimizer -> (the optimizer or its name, list of the networks that it trains).
    """
    check_separate(**{name: optimizer for name, (optimizer, _) in players.items()})
    return [_optimizer(name, *player) for name, player in players.items()]


def check_separate(**optimizers):
    """Refuses one optimizer object in the hands of two players."""
    for (name, optimizer), (other_name, other) in itertools.combinations(optimizers.items(), 2):
        if optimizer is other and isinstance(optimizer, keras.optimizers.Optimizer):
            checks.fail(
                "Each player needs an optimizer of its own.",
                f"{name} and {other_name} are the same {type(other).__name__}",
                "Make two of them.",
            )


def _optimizer(name, optimizer, networks):
    optimizer = keras.optimizers.get(optimizer)
    rate = optimizer.get_config().get("learning_rate")
    if isinstance(rate, (int, float)):
        checks.positive_number(f"{name}.learning_rate", rate)
    half = any(network.dtype_policy.compute_dtype == "float16" for network in networks)
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
    optimizer.build([variable for network in networks for variable in network.trainable_variables])
    return optimizer


# -- data --------------------------------------------------------------------------------------------------


def batch_rows(num_samples, batch_size, critic_steps, rows_per_step, num_replicas=1):
    """Rows of a batch of arrays: what was asked for, at most the data, a multiple of the player steps."""
    parts = (critic_steps + 1) * num_replicas
    if batch_size is not None:
        check_batch(checks.positive_int("batch_size", batch_size), critic_steps, num_replicas)
    if num_samples < 2 * parts:
        checks.fail(
            f"Training with critic_steps={critic_steps} needs at least {2 * parts} samples, 2 for each step"
            + (" and replica." if num_replicas > 1 else "."),
            f"{num_samples} samples",
            "Use more data or fewer critic steps.",
        )
    asked = batch_size or parts * -(-rows_per_step // num_replicas)
    return min(asked, num_samples // parts * parts)


class StartStep(keras.callbacks.Callback):
    """Tells a stream its first step, `value`, once the callbacks before this one have restored the model."""

    def __init__(self):
        super().__init__()
        self.value = tf.Variable(0, trainable=False, dtype=tf.int64)

    def on_train_begin(self, logs=None):
        self.value.assign(self.model.batches_taken())


def split(data, parts):
    """Deals a batch out to `parts` steps; data may be nested, rows that are left over are dropped."""
    dealt = [deal(tensor, parts, "Rows of a batch") for tensor in tf.nest.flatten(data)]
    return [tf.nest.pack_sequence_as(data, [tensor[part] for tensor in dealt]) for part in range(parts)]


def deal(x, parts, name="rows"):
    """Rows `[n, ...]` as `parts` batches `[n // parts, ...]`: row i goes to batch i modulo `parts`.

    Dealt row by row, a step's rows are the same set however many replicas hold the batch.
    """
    if parts == 1 or x is None:
        return [x] * parts
    if x.shape[0] is not None:
        rows = x.shape[0] // parts
        check_batch(x.shape[0], parts - 1)
    else:
        rows = tf.shape(x)[0] // parts
        few = f"{name}: at least {2 * parts} are needed for {parts} steps; drop the last, smaller batch."
        with tf.control_dependencies([tf.debugging.assert_greater_equal(rows, 2, message=few)]):
            rows = tf.identity(rows)
    dealt = tf.reshape(x[: rows * parts], tf.concat([[rows, parts], tf.shape(x)[1:]], axis=0))
    dealt.set_shape([x.shape[0] and x.shape[0] // parts, parts, *x.shape[1:]])
    return tf.unstack(dealt, axis=1)


# -- networks ----------------------------------------------------------------------------------------------


class Views:
    """The critic's outputs together with the inner activations that penalties ask for, in one pass."""

    def __init__(self, critic, penalties):
        self.critic, wanted = critic, [t for penalty in penalties for t in penalty.layer_outputs(critic)]
        self._joint = keras.Model(critic.inputs, [critic.outputs[0], *wanted]) if wanted else None

    def outputs(self, x, training):
        """Critic outputs `[b, s]`, float32 or better."""
        return full_precision(self.critic(x, training=training))

    def __call__(self, x, training):
        """(critic outputs `[b, s]`, list of activations) of rows `[b, ...]`."""
        if self._joint is None:
            return self.outputs(x, training), []
        outputs, *activations = self._joint(x, training=training)
        return full_precision(outputs), activations


def copy_of(network):
    """A frozen copy of a network, for its moving average."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def update_average(average, network, decay):
    """Moves each weight of `average` towards the network's; batch norm statistics are taken over."""
    trained = {id(v) for v in network.trainable_variables}
    for mean, variable in zip(average.weights, network.weights):
        value = tf.convert_to_tensor(variable)
        mean.assign(decay * mean + (1.0 - decay) * value if id(variable) in trained else value)
