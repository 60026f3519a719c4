"""Trains tiny systems on a number of logical CPU devices and writes losses and weights; a process of its own.

`python -m tests.integration.strategy_run OUT NUM_DEVICES NUM_STEPS CASE ...` writes OUT.npz, and OUT.json with what
`replica_facts` says. A case is the name of a system, with `+shard_rows`, or `+uneven` for batches that the replicas
cannot share evenly.
"""

import contextlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf

from tests.integration import replica_facts
from tests.systems import SYSTEMS, digits
from tfmmd import models
from trainers.strategies import split_cpu

UNEVEN_ROWS = 61  # the last of four batches of 16 has 13 rows
FACTS = "facts"  # the case that is `replica_facts`


def main(out, num_devices, num_steps, *cases):
    """Runs every case and saves `<case>/loss/<step>/<loss>`, `<case>/weight/<i>-<name>` and evaluations."""
    num_devices, num_steps = int(num_devices), int(num_steps)
    strategy = tf.distribute.get_strategy()
    if num_devices > 1:
        split_cpu(num_devices)
        strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(num_devices)])
    results = {}
    for case in cases:
        if case == FACTS:
            with open(f"{out}.json", "w") as file:
                json.dump(replica_facts.facts(strategy), file)
        else:
            results |= {f"{case}/{key}": value for key, value in run(case, strategy, num_steps).items()}
    np.savez(f"{out}.npz", **results)


def run(case, strategy, num_steps):
    """Losses of every step, the final weights and losses on other data of one system."""
    name, _, option = case.partition("+")
    system = SYSTEMS[name]
    with strategy.scope() if strategy.num_replicas_in_sync > 1 else contextlib.nullcontext():
        model = make(system, option)
    calls = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(batch))
    data, options = batches(system, option), {"epochs": num_steps, "steps_per_epoch": 1, "verbose": 0}
    history = model.fit(data, callbacks=[count], **options).history
    results = {f"loss/{key}": np.array(values) for key, values in history.items()}
    results["calls"] = np.array(len(calls))
    scores = model.evaluate(batches(system, option).take(4), verbose=0, return_dict=True)
    results |= {f"evaluated/{key}": np.array(value) for key, value in scores.items()}
    return results | weights(model)


def make(system, option):
    """The compiled model of a system, its weights large enough to make losses that differ from zero."""
    keras.utils.set_random_seed(0)
    model = system.build()
    if option == "shard_rows":
        getattr(model, "objective", model).shard_rows = True
    if isinstance(model, models.MMDGAN):  # its networks begin with weights of standard deviation 0.02
        for variable in model.trainable_variables:
            variable.assign(5.0 * variable)
    system.compile(model)
    return model


def batches(system, option):
    """The endless stream of training batches."""
    rows = (digits(64), *system.labels()) if system.labelled else digits(64)
    if option != "uneven":
        return tf.data.Dataset.from_tensor_slices(rows).repeat().batch(system.batch_size, drop_remainder=True)
    return tf.data.Dataset.from_tensor_slices(rows).take(UNEVEN_ROWS).batch(system.batch_size).repeat()


def weights(model):
    """All weights by place and name, after a look whether the replicas hold the same."""
    found = {}
    for i, weight in enumerate(model.weights):
        first, *others = [v.numpy() for v in getattr(weight.value, "values", (weight.value,))]
        found[f"weight/{i:03d}-{weight.name}"] = first
        for other in others:
            np.testing.assert_array_equal(other, first, err_msg=weight.path)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
