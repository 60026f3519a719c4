"""Training of dense auto-encoders layer by layer, with dropout in the encoder: the first stage of GMMN+AE."""

import functools

import keras
import tensorflow as tf

from tfmmd import checks, distribute, optimizers, seeds
from tfmmd.data import stream
from tfmmd.models import costs
from tfmmd.models.base import GenerativeModel
from tfmmd.models.generator import flatten, num_rows

PASSIVE = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)


def pretrain(
    autoencoder,
    x,
    *,
    num_updates=3000,
    fine_tuning_updates=None,
    batch_size=100,
    dropout=(0.2, 0.5),
    make_optimizer=None,
    layerwise=True,
    seed=0,
    callbacks=None,
    fit=None,
):
    """Trains an `Autoencoder` of dense networks: greedily layer by layer, then as a whole.

    Layer l of the encoder learns with its mirror in the decoder to reconstruct what the trained layers below
    it give, without dropout; its own input has dropout (inverted, so that inference needs no rescaling).

    Args:
        autoencoder: `tfmmd.models.Autoencoder` with as many dense layers in the encoder as in the decoder.
        x: Data `[n, ...]`.
        num_updates: Updates for each pair of layers.
        fine_tuning_updates: Updates of the whole auto-encoder; None is `num_updates`.
        batch_size: Rows per update; the rows come in shuffled passes over `x`.
        dropout: Share of each encoder layer's inputs that is dropped, one number for all or one per layer.
        make_optimizer: Function from a phase's name ("layer 1", ..., "fine-tuning") and its number of updates
            to a Keras optimizer; None is Adam at 1e-3 with cosine decay.
        layerwise: Whether the greedy phases run before fine-tuning.
        seed: Seed of order and dropout.
        callbacks: Keras callbacks for every phase.
        fit: Function as `fit_phase` that is used in its place, such as one that keeps checkpoints.

    Returns:
        Dictionary from a phase's name to its mean loss.

    Raises:
        ValueError: If the networks are not mirrored stacks of dense layers.

    Reference: [li2015]
    """
    encoder, decoder = (
        dense_layers("encoder", autoencoder.encoder),
        dense_layers("decoder", autoencoder.decoder),
    )
    rates = _check_stack(encoder, decoder, dropout)
    updates = checks.positive_int("num_updates", num_updates)
    depths = range(len(encoder)) if layerwise else ()
    plan: list[tuple] = [
        (f"layer {i + 1}", updates, functools.partial(LayerPhase, decoder[-1 - i], i)) for i in depths
    ]
    plan.append(
        ("fine-tuning", checks.positive_int("num_updates", fine_tuning_updates or updates), WholePhase)
    )
    losses = {}
    for name, steps, make in plan:
        with autoencoder.distribute_strategy.scope():
            phase = make(autoencoder, encoder, rates, seed)
            phase.compile((make_optimizer or default_optimizer)(name, steps))
        batches = shuffled_batches(x, batch_size, steps, seed)
        losses[name] = (fit or fit_phase)(name, phase, batches, steps, callbacks)
    return losses


def fit_phase(name, phase, batches, steps, callbacks=None):
    """Trains a phase of the pretraining.

    Args:
        name: Its name, such as "layer 1", for messages and files.
        phase: Compiled `GenerativeModel`.
        batches: Dataset of `steps` batches `[b, ...]`.
        steps: Number of updates.
        callbacks: Keras callbacks.

    Returns:
        The mean loss.
    """
    return phase.fit(batches, steps_per_epoch=steps, callbacks=callbacks, verbose=0).history["loss"][-1]


def default_optimizer(name, num_updates):
    """Adam whose rate falls to 1 % on a cosine."""
    return optimizers.FusedAdam(keras.optimizers.schedules.CosineDecay(1e-3, num_updates, alpha=0.01))


def dense_layers(name, network):
    """The dense layers of a plain stack, in order."""
    layers = [layer for layer in network.layers if not isinstance(layer, PASSIVE)]
    if not layers or not all(isinstance(layer, keras.layers.Dense) for layer in layers):
        checks.fail(
            f"Layer-wise pretraining needs `{name}` to be a stack of Dense layers.",
            f"{name} with layers {[type(layer).__name__ for layer in network.layers]}",
            "Train the auto-encoder with its own fit() and hand it in trained.",
        )
    return layers


def dropped(x, rate, seed_pair):
    """Inverted dropout of this replica's rows `[b, d]`: kept entries are divided by 1 - rate."""
    if rate == 0.0:
        return x
    size = x.shape[1:]
    noise = distribute.own_rows(lambda n: seeds.uniform([n, *size], seed_pair), num_rows(x))
    return tf.where(noise >= rate, x / (1.0 - rate), 0.0)


def shuffled_batches(x, batch_size, steps, seed):
    """`steps` batches of rows of `x` in shuffled passes, a function of the seed."""
    x, rows = tf.convert_to_tensor(x), len(x)
    size = min(checks.positive_int("batch_size", batch_size), rows)

    def epoch_order(epoch):
        pair = seeds.pair(seed, epoch, "pretraining_order")
        return tf.data.Dataset.from_tensor_slices(
            tf.random.experimental.stateless_shuffle(tf.range(rows), pair)
        )

    batches = tf.data.Dataset.range(steps).flat_map(epoch_order).batch(size, drop_remainder=True).take(steps)
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
    batches = batches.map(lambda index: tf.gather(x, index)).prefetch(stream.PREFETCHED)
    return batches.with_options(stream.untuned())


class StackPhase(GenerativeModel):
    """A phase of the training: a stack of encoder layers with dropout before each."""

    def __init__(self, autoencoder, encoder, rates, seed):
        super().__init__(seed=seed)
        self.autoencoder, self.encoder_layers, self.rates = autoencoder, encoder, rates

    def check_data(self, x):
        """The auto-encoder has checked the data."""

    def encode_layer(self, x, index, step, training):
        """The output of encoder layer `index` on `x` `[b, d]`, with dropout in training."""
        if training:
            x = dropped(x, self.rates[index], seeds.pair(self.seed, step, f"dropout_{index}"))
        return self.encoder_layers[index](x)


class LayerPhase(StackPhase):
    """One encoder layer and its mirror in the decoder, on the output of the layers below."""

    def __init__(self, mirror, index, autoencoder, encoder, rates, seed):
        super().__init__(autoencoder, encoder, rates, seed)
        self.index, self.mirror = index, mirror

    @property
    def trainable_variables(self):
        return self.encoder_layers[self.index].trainable_variables + self.mirror.trainable_variables

    def train_costs(self, x, step, training):
        below = flatten(x)
        for layer in self.encoder_layers[: self.index]:
            below = layer(below)
        output = self.mirror(self.encode_layer(below, self.index, step, training))
        return {"loss": distribute.mean(self.cost(below, output))}

    def cost(self, below, output):
        """The auto-encoder's own cost on the data; on codes, by what the mirror's activation can give."""
        if self.index == 0:
            return self.autoencoder.reconstruction_cost(below, output)
        probabilities = self.mirror.activation is keras.activations.sigmoid
        return (costs.cross_entropy if probabilities else costs.squared)(below, output)


class WholePhase(StackPhase):
    """The whole auto-encoder, with its own reconstruction cost."""

    @property
    def trainable_variables(self):
        return self.autoencoder.trainable_variables

    def train_costs(self, x, step, training):
        codes = flatten(x)
        for index in range(len(self.encoder_layers)):
            codes = self.encode_layer(codes, index, step, training)
        outputs = self.autoencoder.decoder(self.autoencoder.prior.constrain(codes), training=training)
        return {"loss": distribute.mean(self.autoencoder.reconstruction_cost(x, outputs))}


def _check_stack(encoder, decoder, dropout):
    """Checks that the stacks mirror each other; returns one dropout rate per encoder layer."""
    widths = [layer.kernel.shape for layer in encoder]
    mirrored = [layer.kernel.shape for layer in reversed(decoder)]
    if [tuple(reversed(shape)) for shape in mirrored] != [tuple(shape) for shape in widths]:
        checks.fail(
            "Layer-wise pretraining needs a decoder that mirrors the encoder.",
            f"encoder kernels {widths}, decoder kernels {mirrored[::-1]}",
            "Give both the same hidden widths, in reverse order.",
        )
    rates = (
        [float(dropout)] * len(encoder) if isinstance(dropout, (int, float)) else [float(r) for r in dropout]
    )
    if len(rates) != len(encoder) or not all(0.0 <= rate < 1.0 for rate in rates):
        checks.fail(
            f"`dropout` must give one rate in [0, 1) for each of {len(encoder)} encoder layers.",
            f"dropout={dropout!r}",
            "Use one number for all layers, 0 for none.",
        )
    return rates
