"""What the global MMD is on the replicas of a strategy; used by `strategy_run`."""

import collections
import contextlib
import itertools

import keras
import numpy as np
import tensorflow as tf

from tests import harness
from tests.systems import SYSTEMS, digits
from tfmmd import discrepancies, distribute, kernels, layers, models, networks
from tfmmd.models import posteriors
from tfmmd.registry import register

ROWS, OTHER_ROWS = 64, 64
BIAS_ROWS, BIAS_TRIALS = 32, 60
UNEVEN = {2: (9, 5), 4: (5, 4, 3, 2)}
ESTIMATORS = ("unbiased", "biased")
REFUSED = ({"jit_compile": True}, {"steps_per_execution": 2})
FORMS = {"gathered": False, "sharded": True}


@register
class Trainable(kernels.Gaussian):
    """A Gaussian kernel that counts as having variables: it takes the path of automatic differentiation."""

    def has_variables(self):
        return True


class Counting(kernels.Gaussian):
    """A Gaussian kernel that counts the entries that each replica computes."""

    def __init__(self, *args):
        super().__init__(*args)
        self.entries = collections.Counter()

    def of_pairs(self, pairs):
        self._count(pairs)
        return super().of_pairs(pairs)

    def slopes(self, pairs):
        self._count(pairs)
        return super().slopes(pairs)

    def _count(self, pairs):
        def add(replica, size):
            self.entries[int(replica)] += int(size)
            return np.int32(0)

        tf.numpy_function(add, [distribute.replica_index(), tf.size(pairs.squared_distance)], tf.int32)


CLIPS = {  # to 0.5
    "clipnorm": lambda gradients: [g * min(1, 0.5 / np.linalg.norm(g)) for g in gradients],
    "global_clipnorm": lambda gradients: [
        0.5 * g / np.linalg.norm(np.concatenate(gradients)) for g in gradients
    ],
    "clipvalue": lambda gradients: [np.clip(g, -0.5, 0.5) for g in gradients],
}
KERNELS = [*harness.KINDS_OF_KERNEL, Trainable((0.5, 2.0))]
OF_EACH_PATH = [KERNELS[0], KERNELS[-1]]  # closed form and automatic differentiation


PRETRAINING = {
    "pretrain": {"layerwise": False, "fine_tuning_updates": 5, "dropout": 0.1},
    "pretrain_whole": {"num_updates": 5},
}


def noisy(autoencoder):
    """The auto-encoder with standardized codes and noise on them."""
    encoder, posterior = networks.standardized(autoencoder.encoder), posteriors.ConstantVariancePosterior(0.2)
    return models.Autoencoder(encoder, autoencoder.decoder, posterior=posterior)


def pretraining_loss(strategy, way):
    """The loss of an auto-encoder with noise, by the method of GMMN+AE of that name."""
    keras.utils.set_random_seed(0)
    with strategy.scope() if strategy.num_replicas_in_sync > 1 else contextlib.nullcontext():
        model = SYSTEMS["gmmn-ae"].build()
        if way == "pretrain_whole":
            model.autoencoder = noisy(model.autoencoder)
    losses = getattr(model, way)(digits(64), batch_size=16, **PRETRAINING[way])
    return losses["fine-tuning"] if way == "pretrain" else losses


def split(strategy, array, counts):
    """The array's rows dealt to the replicas, so many to each."""
    if strategy.num_replicas_in_sync == 1:
        return tf.constant(array)
    bounds = np.cumsum([0, *counts])
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            array[bounds[context.replica_id_in_sync_group] : bounds[context.replica_id_in_sync_group + 1]]
        )
    )


def run(strategy, function, *arrays, counts=None):
    """Results of a function of each replica's rows: a list over replicas of lists of arrays."""
    replicas = strategy.num_replicas_in_sync
    counts = counts or [[len(a) // replicas] * replicas for a in arrays]
    values = [split(strategy, a, c) for a, c in zip(arrays, counts)]
    results = strategy.run(function, values)  # eagerly: tracing costs ten times as much
    local = [strategy.experimental_local_results(r) for r in results]
    return [[value.numpy() for value in replica] for replica in zip(*local)]


def value_and_gradients(kernel, estimator, shard_rows, followed=(True, True)):
    """The function of a replica's rows: the value, and the gradients of its share as Keras sums them."""

    def function(*rows):
        with tf.GradientTape() as tape:
            tape.watch([v for v, follow in zip(rows, followed) if follow])
            value = discrepancies.global_mmd2(*rows, kernel, estimator=estimator, shard_rows=shard_rows)
            cost = distribute.share(value)
        return value, *(g for g in tape.gradient(cost, rows) if g is not None)

    return function


def joined(results):
    """Values `[replicas]`, then the gradients' rows of all replicas one after the other."""
    values, *gradients = zip(*results)
    return [np.stack(values), *(np.concatenate(g) for g in gradients)]


def error(actual, expected):
    """The largest difference, in units of the largest entry."""
    return max(float(np.abs(a - e).max() / np.abs(e).max()) for a, e in zip(actual, expected))


def equality(strategy, counts=None):
    """Errors of both forms against one device, by kernel, estimator and form, in float64.

    In float32 both forms differ from the whole matrices by rounding, some 1e-6 of the largest entry.
    """
    rows = counts[0] if counts else [ROWS // strategy.num_replicas_in_sync] * strategy.num_replicas_in_sync
    x, y = harness.samples(sum(rows), sum(rows), offset=3.0, dtype="float64")
    errors = {}
    for kernel, estimator in itertools.product(OF_EACH_PATH if counts else KERNELS, ESTIMATORS):
        expected = one_device(kernel, estimator, x, y)
        for form, shard_rows in FORMS.items():
            found = run(strategy, value_and_gradients(kernel, estimator, shard_rows), x, y, counts=counts)
            name = f"{type(kernel).__name__}, {estimator}, {form}"
            errors[name] = error(joined(found), expected)
    return errors


def one_device(kernel, estimator, x, y):
    """Value and gradients by the whole matrices and automatic differentiation."""
    return harness.value_and_gradients(
        lambda a, b: discrepancies.mmd2(a, b, kernel, estimator=estimator, method="plain"), x, y
    )


def entries(strategy):
    """Kernel entries that each replica computes in one value and gradient, by form and what is followed."""
    x, y = harness.samples(ROWS, OTHER_ROWS)
    counted = {}
    for form, followed in itertools.product(FORMS, (("x", (True, False)), ("x and y", (True, True)))):
        kernel = Counting((1.0, 2.0))
        run(strategy, value_and_gradients(kernel, "unbiased", FORMS[form], followed[1]), x, y)
        counted[f"{form}, {followed[0]}"] = [kernel.entries[i] for i in range(strategy.num_replicas_in_sync)]
    return counted


def bias(strategy):
    """Means of the biased MMD**2 between samples of one law: both forms, and the mean of local values."""
    kernel = kernels.Gaussian((1.0,))
    rng = np.random.default_rng(3)
    draws = rng.normal(size=(BIAS_TRIALS, 2, BIAS_ROWS, 2)).astype(np.float32)

    def function(x, y):
        forms = [
            discrepancies.global_mmd2(x, y, kernel, estimator="biased", shard_rows=s) for s in (False, True)
        ]
        return *forms, discrepancies.mmd2(x, y, kernel, estimator="biased")

    step = tf.function(lambda x, y: strategy.run(function, (x, y)))
    counts = [BIAS_ROWS // strategy.num_replicas_in_sync] * strategy.num_replicas_in_sync
    values = []
    for x, y in draws:
        results = step(split(strategy, x, counts), split(strategy, y, counts))
        values.append([np.mean([v.numpy() for v in strategy.experimental_local_results(r)]) for r in results])
    return dict(zip(("gathered", "sharded", "local"), np.mean(values, axis=0).tolist()))


def second_order(strategy):
    """What a gradient of the sharded form's gradient says."""
    x, y = harness.samples(8, 8)

    def function(x, y):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = discrepancies.global_mmd2(x, y, kernels.Gaussian(), shard_rows=True)
            slope = tf.reduce_sum(inner.gradient(value, x))
        return (outer.gradient(slope, x),)

    return refusal(lambda: run(strategy, function, x, y))


def closeness(strategy):
    """What minibatch discrimination makes of eight rows, in a graph: the rows of all replicas."""
    layer = layers.MinibatchDiscrimination(num_kernels=2, kernel_size=3)
    layer.build([None, 3])
    layer.kernel.assign(np.random.default_rng(0).normal(size=layer.kernel.shape))
    step = tf.function(lambda x: strategy.run(layer, (x,)))
    replicas = strategy.num_replicas_in_sync
    made = step(split(strategy, harness.samples(8, 8)[0], [8 // replicas] * replicas))
    return np.concatenate([part.numpy() for part in strategy.experimental_local_results(made)]).tolist()


def clipping(strategy):
    """How far the sum of the replicas' clipped shares is from the clipped gradient, by kind of clipping."""
    rows = harness.samples(8, 8)[0]
    errors = {}
    for (kind, clip), scaled in itertools.product(CLIPS.items(), (False, True)):
        optimizer = keras.optimizers.SGD(1.0, **{kind: 0.5})
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build([keras.Variable(0.0)])
        scale = optimizer.scale_loss(1.0)

        def function(rows, optimizer=optimizer, scale=scale):
            gradients = [scale * tf.reduce_sum(part, axis=0) for part in tf.split(rows, [1, 2], axis=1)]
            return distribute.clip_as(optimizer, [gradients[0], None, gradients[1]])[::2]

        found = np.sum([np.concatenate(shares) for shares in run(strategy, function, rows)], axis=0) / scale
        whole = [rows.sum(axis=0)[:1], rows.sum(axis=0)[1:]]
        errors[f"{kind}, scaled: {scaled}"] = error([found], [np.concatenate(clip(whole))])
    return errors


def refusals(strategy):
    """What is said to options that cannot run on several CPU devices, and to batches that cannot be shared."""
    gan, data = SYSTEMS["gan"], digits(64)
    with strategy.scope():
        model = gan.build()
        said = [refusal(lambda o=o: model.compile("adam", "adam", **o)) for o in REFUSED]
        gan.compile(model)
    rows = 2 * strategy.num_replicas_in_sync + 2
    said.append(refusal(lambda: model.fit(data, batch_size=rows, verbose=0)))
    stream = tf.data.Dataset.from_tensor_slices(data).batch(rows, drop_remainder=True)
    return [*said, refusal(lambda: model.fit(stream, verbose=0))]


def refusal(call):
    """The text of the ValueError that a call ends with."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return "no error"


def facts(strategy):
    """All facts of a strategy."""
    replicas = strategy.num_replicas_in_sync
    found = {"equality": equality(strategy), "entries": entries(strategy), "bias": bias(strategy)}
    found["closeness"] = closeness(strategy)
    found["pretraining"] = {way: pretraining_loss(strategy, way) for way in PRETRAINING}
    if replicas > 1:
        counts = UNEVEN[replicas]
        found["uneven"] = equality(strategy, [counts, counts[::-1]])
        found["clipping"] = clipping(strategy)
        found["second_order"], found["refusals"] = second_order(strategy), refusals(strategy)
    return found
