"""A fast stand-in for a slow simulator: a GMMN that draws the simulator's outcomes in one pass.

The simulator is a stochastic predator-prey process, event by event (Gillespie); its outcome is the number of prey and
predators at three times. A GMMN learns their joint distribution from some thousand simulations.

    python -m examples.fast_simulator
"""

import time

import keras
import numpy as np

import tfmmd
from examples import common

TIMES = (5.0, 10.0, 15.0)
RATES = np.array([1.0, 0.005, 0.6])  # birth of prey, predation, death of predators


def simulate(rng, start=(100, 100)):
    """One run: prey and predators at `TIMES`, `[6]`."""
    prey, predators = start
    now, outcome, waiting = 0.0, [], list(TIMES)
    while waiting:
        births, eaten, deaths = RATES * (prey, prey * predators, predators)
        total = births + eaten + deaths
        now = now + rng.exponential(1.0 / total) if total > 0 else np.inf
        while waiting and now > waiting[0]:
            outcome += [prey, predators]
            waiting.pop(0)
        event = rng.random() * total
        if event < births:
            prey += 1
        elif event < births + eaten:
            prey, predators = prey - 1, predators + 1
        else:
            predators -= 1
    return outcome


def simulations(count, seed):
    """Outcomes `[count, 6]`, as square roots: the scale on which counts spread evenly."""
    rng = np.random.default_rng(seed)
    return np.sqrt([simulate(rng) for _ in range(count)]).astype("float32")


def fit(rows, epochs, seed):
    """A GMMN of the outcomes."""
    keras.utils.set_random_seed(seed)
    scaled = (rows - rows.mean(0)) / rows.std(0)
    bandwidths = tfmmd.kernels.geometric_bandwidths(tfmmd.kernels.median_bandwidth(scaled) / 2, 5)
    model = tfmmd.models.GMMN(
        tfmmd.networks.table_generator(8, rows),
        tfmmd.priors.Normal(8),
        tfmmd.kernels.standardized(tfmmd.kernels.Gaussian(bandwidths), rows),
        seed=seed,
    )
    steps = epochs * (len(rows) // 250)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)))
    model.fit(rows, batch_size=250, epochs=epochs, verbose=0)
    return model


def seconds_each(function, count):
    """Seconds per outcome of `function(count)`, and what it returned."""
    start = time.perf_counter()
    result = function(count)
    return (time.perf_counter() - start) / count, result


def main():
    options = common.options(__doc__.splitlines()[0])
    count, epochs = (250, 2) if options.quick else (1000, 300)
    slow, rows = seconds_each(lambda n: simulations(n, options.seed + 1), count)
    model = fit(rows, epochs, options.seed)
    model.sample(10, seed=0)  # traced once
    fast, drawn = seconds_each(lambda n: model.sample(n, seed=1).numpy(), 20_000)
    print(
        f"simulator {slow * 1e3:.3g} ms an outcome, GMMN {fast * 1e6:.3g} microseconds: {slow / fast:.0f} times faster"
    )
    held_out = simulations(100 if options.quick else 500, options.seed + 2)
    result = tfmmd.discrepancies.permutation_test(held_out, drawn[: len(held_out)], model.kernel, seed=0)
    print(f"held-out simulations against the GMMN: {result}")
    figure, axes = common.new_figure(1, len(TIMES))
    for i, panel in enumerate(axes[0]):
        for values, name in ((held_out, "simulator"), (drawn[: len(held_out)], "GMMN")):
            panel.scatter(
                *(np.clip(values[:, 2 * i : 2 * i + 2], 0, None) ** 2).T, s=3, alpha=0.6, label=name
            )
        panel.set(title=f"at time {TIMES[i]:g}", xlabel="prey", ylabel="predators")
    axes[0][0].legend(fontsize=7)
    common.save(figure, options.out, "fast_simulator.png")


if __name__ == "__main__":
    main()
