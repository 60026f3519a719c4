"""Tables that no run's scores hold: bias against closed forms, wall time of steps, speed beside peers."""

import json
import math
import statistics
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfmmd import checks, discrepancies, kernels, metrics, objectives
from trainers import runner, systems
from trainers.run_data import RunData

SIZES = (100, 200, 500, 1000, 2000, 5000)  # of the samples whose FID and KID are compared
FEATURES = 32
SHIFTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)  # of the fake law
ROWS = 64  # of a critic's batch
VARIANCE = 1.0  # of the Gaussian kernel
REPETITIONS = {"quick": 200, "paper": 2000}
ROUNDS, STEPS = 5, 2  # of timed steps


def bias(rows, preset, dataset, results):
    """Gradients through a fixed and a learned critic, and FID and KID of equal laws, beside their closed forms."""
    repetitions = REPETITIONS[preset]
    return {
        "repetitions": repetitions,
        "fixed critic": [fixed_critic(shift, repetitions) for shift in SHIFTS],
        "learned critic": [learned_critic(shift, repetitions) for shift in SHIFTS],
        "equal laws": [_equal_laws(n, max(4, repetitions // 20)) for n in SIZES],
    }


def fixed_critic(shift, repetitions):
    """Slope in the shift of the unbiased MMD**2 between N(0, 1) and N(shift, 1)."""
    kernel = kernels.Gaussian((VARIANCE**0.5,))
    slopes = _slopes(shift, repetitions, lambda x, y: objectives.MMD(kernel).generator_cost(x, y))
    expected = (
        2
        * (VARIANCE / (VARIANCE + 2)) ** 0.5
        * math.exp(-(shift**2) / (2 * (VARIANCE + 2)))
        * shift
        / (VARIANCE + 2)
    )
    return {"shift": shift, **_mean(slopes), "closed form": expected, "unbiased": expected}


def learned_critic(shift, repetitions):
    """Slope of |mean x - mean y|, what the critic t x with |t| <= 1 makes of it when optimised on the same rows."""
    slopes = _slopes(
        shift, repetitions, lambda x, y: tf.abs(tf.reduce_mean(x, axis=0) - tf.reduce_mean(y, axis=0))[0]
    )
    spread = math.sqrt(2 / ROWS)
    expected = math.erf(shift / (spread * math.sqrt(2)))
    return {"shift": shift, **_mean(slopes), "closed form": expected, "unbiased": float(shift > 0)}


def _slopes(shift, repetitions, cost):
    """The slope in the shift for `repetitions` pairs of samples of `ROWS` rows."""
    x, y = tf.unstack(tf.constant(np.random.default_rng(0).normal(size=(2, repetitions, ROWS, 1))))

    def slope(pair):
        theta = tf.constant(shift, tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = cost(pair[0], pair[1] + theta)
        return tape.gradient(value, theta)

    return tf.function(lambda: tf.map_fn(slope, (x, y), fn_output_signature=tf.float64))().numpy()


def _equal_laws(n, repetitions):
    """FID and KID between two samples `[n, 32]` of one Gaussian law: both are truly 0."""
    rng = np.random.default_rng(n)
    fid, kid = [], []
    for _ in range(repetitions):
        x, y = rng.normal(size=(2, n, FEATURES)).astype(np.float32)
        fid.append(float(metrics.frechet_inception_distance(x, y)))
        kid.append(float(discrepancies.mmd2(x, y, kernels.Polynomial())))
    return {"rows": n, "fid": _mean(fid), "kid": _mean(kid)}


def _mean(values):
    values = np.asarray(values, np.float64)
    return {
        "mean": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / math.sqrt(len(values))),
    }


def step_costs(rows, preset, dataset, results):
    """Median milliseconds of a generator step, with the critic's steps before it: rows take turns."""
    steps = {row.label: _stepper(row, preset, dataset) for row in rows}
    times = {label: [] for label in steps}
    for _ in range(ROUNDS):
        for label, step in steps.items():
            began = time.perf_counter()
            step()
            times[label].append((time.perf_counter() - began) * 1000 / STEPS)
    return {label: {"milliseconds": statistics.median(values)} for label, values in times.items()}


def _stepper(row, preset, dataset):
    """A function that takes `STEPS` training steps of a row's model."""
    recipe = systems.recipe(row.system)
    name, overrides = row.recipe(preset)
    settings = recipe.resolve(dataset, name, overrides)
    run_data = RunData(dataset, settings, 0)
    model = runner.build(recipe, settings, run_data)
    batches = iter(runner.batches(recipe, run_data, settings, 0))
    step = tf.function(lambda batch: model.train_step(batch), autograph=False)
    fixed = [next(batches) for _ in range(STEPS)]
    for batch in fixed:  # traced before the clock starts
        step(batch)
    return lambda: [step(batch)["generator_loss"].numpy() for batch in fixed]


def speed(rows, preset, dataset, results):
    """The ratios that `make bench` left in the folder `results`, by benchmark and case."""
    found = {}
    for path in sorted(Path(results).glob("*.json")):
        record = json.loads(path.read_text())
        if "unit" in record and "cases" in record:
            alone = {k: v for k, v in record.items() if isinstance(v, dict) and "ratios" in v}
            found[path.stem] = {"machine": record["machine"], "cases": {**record["cases"], **alone}}
    if not found:
        checks.fail(
            "The table of speed needs the results of benchmarks.",
            f"none in {results}",
            "Make them with `make bench`, or give their folder's parent with --docs.",
        )
    return found
