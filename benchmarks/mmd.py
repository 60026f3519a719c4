"""MMD**2 and its gradient against automatic differentiation: `python -m benchmarks mmd`.

The gradient is that of the generated batch. The TensorFlow peer is the sum of three kernel blocks, written out
the way released MMD GAN code does and traced by `tf.function`; the PyTorch peer says the same in PyTorch. Peak
memory is measured in a process of its own for every size, above what the process held after a call of 1000 rows,
which loads the compiler: that takes another 110 to 130 MB, once.
"""

import argparse
import json
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks import harness
from tfmmd import discrepancies, kernels

BANDWIDTHS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)
KERNELS = {"gaussian": kernels.Gaussian(BANDWIDTHS), "rational_quadratic": kernels.RationalQuadratic(ALPHAS)}
TORCH = ("torch==2.13.0", "numpy")

# case -> sizes, kernel, largest allowed ratio to each peer
CASES = {
    "n=1000 d=784": (1000, 784, "gaussian", {"tensorflow": 0.80, "torch": 0.40}),
    "n=4000 d=784": (4000, 784, "gaussian", {"tensorflow": 0.60, "torch": 0.20}),
    "n=4000 d=10": (4000, 10, "gaussian", {"tensorflow": 0.35, "torch": 0.08}),
    "n=4000 d=784 rational quadratic": (4000, 784, "rational_quadratic", {"tensorflow": 0.50}),
}
STEP_TARGET = 0.45  # of a GMMN training step, to PyTorch
MEMORY_TARGETS = {(16_000, 10): 200, (16_000, 784): 400}  # megabytes
WARM_ROWS = 1000
MEMORY_SIZES = (2000, 4000, 8000, 16_000)
LARGE = ((64_000, 10), (64_000, 784))  # autodiff would hold 16 GB in each n x n matrix
PEER_LIMIT = 4000  # rows above which autodiff is not tried: it keeps all n x n matrices


def samples(n, d):
    """Two samples `[n, d]`, the same in every process."""
    rng = np.random.default_rng(0)
    scale = 1.0 if d > 100 else 3.0
    x, y = rng.normal(size=(n, d)) * scale, (rng.normal(size=(n, d)) + 0.1) * scale
    return x.astype(np.float32), y.astype(np.float32)


def autodiff_mmd2(x, y, kernel):
    """Unbiased MMD**2 of equal sizes as the sum of three kernel blocks."""
    n = tf.cast(tf.shape(x)[0], tf.float32)
    xx, xy, yy = (tf.matmul(a, b, transpose_b=True) for a, b in ((x, x), (x, y), (y, y)))
    x2, y2 = tf.linalg.diag_part(xx), tf.linalg.diag_part(yy)
    kxx, kxy, kyy = (
        _textbook(kernel, -2.0 * p + a[:, None] + b[None, :])
        for p, a, b in ((xx, x2, x2), (xy, x2, y2), (yy, y2, y2))
    )
    within = [(tf.reduce_sum(k) - tf.linalg.trace(k)) / (n * (n - 1.0)) for k in (kxx, kyy)]
    return within[0] + within[1] - 2.0 * tf.reduce_sum(kxy) / (n * n)


def _textbook(kernel, d2):
    if kernel == "gaussian":
        return sum(tf.exp(-d2 / (2.0 * s**2)) for s in BANDWIDTHS)
    return sum(tf.exp(-a * tf.math.log(1.0 + tf.maximum(d2, 0.0) / (2.0 * a))) for a in ALPHAS)


def with_gradient(function):
    """The graph (real, fake) -> value and gradient with respect to the generated batch."""

    @tf.function
    def run(real, fake):
        with tf.GradientTape() as tape:
            tape.watch(fake)
            value = function(real, fake)
        return value, tape.gradient(value, fake)

    return run


def ours(kernel):
    """(real, fake) -> value and gradient by this package."""
    return with_gradient(lambda x, y: discrepancies.mmd2(x, y, KERNELS[kernel]))


def theirs(kernel):
    """(real, fake) -> value and gradient by TensorFlow's automatic differentiation."""
    return with_gradient(lambda x, y: autodiff_mmd2(x, y, kernel))


def on_samples(function, n, d):
    """A call of `function` on fixed samples that waits for the result."""
    x, y = (tf.constant(s) for s in samples(n, d))
    return lambda: function(x, y)[1].numpy()


def gmmn_step():
    """One training step of the GMMN of the paper on MNIST-sized rows, batch 1000."""
    widths = (64, 256, 256, 1024)
    layers = [keras.layers.Dense(w, activation="relu") for w in widths]
    network = keras.Sequential([keras.Input([10]), *layers, keras.layers.Dense(784, activation="sigmoid")])
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(network.trainable_variables)
    real = tf.constant(np.random.default_rng(0).uniform(size=(1000, 784)).astype(np.float32))
    kernel = kernels.Gaussian(BANDWIDTHS)

    @tf.function
    def step(real):
        noise = tf.random.uniform([1000, 10], -1.0, 1.0)
        with tf.GradientTape() as tape:
            loss = discrepancies.mmd(real, network(noise, training=True), kernel)
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss

    return lambda: step(real).numpy()


def measure_case(peer, n, d, kernel, rounds):
    """Times of one case, by name of the contestant."""
    variants = {
        "tfmmd": harness.timed(on_samples(ours(kernel), n, d)),
        "tensorflow": harness.timed(on_samples(theirs(kernel), n, d)),
        "torch": lambda: peer.ask(task="mmd", n=n, d=d, kernel=kernel),
    }
    return harness.interleaved(variants, rounds)


def limit_ms(n, d, kernel):
    """Arithmetic limit of a case in milliseconds: products at the measured rate and passes over the entries.

    The products of one symmetric half, of the other sample's half, and of the cross block, each once forward;
    two of them once more backward: 4 products. The value and slope of the kernel are a compiled pass over the
    entries of both halves and of the cross block: 2 passes.
    """
    a, b = (tf.random.normal([2000, 784]) for _ in range(2))
    product = tf.function(lambda: tf.matmul(a, b, transpose_b=True))
    d2 = tf.random.uniform([1000, 4000], 0.0, 100.0)
    sweep = tf.function(lambda: tf.complex(*KERNELS[kernel].value_and_slope(d2)), jit_compile=True)
    times = harness.interleaved({"product": harness.timed(product), "sweep": harness.timed(sweep)}, 9)
    unit = {name: record["wall_ms"] for name, record in harness.medians(times).items()}
    products = 4 * unit["product"] * (n * n * d) / (2000 * 2000 * 784)
    return {"products": products, "entries": 2 * unit["sweep"] * n * n / d2.shape.num_elements()}


def measure_alone(who, n, d):
    """Megabytes at the peak above the start, and seconds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mmd", "--peak", who, str(n), str(d)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=harness.ROOT)
    return json.loads(out.stdout.strip().splitlines()[-1]) if out.returncode == 0 else {}


def print_peak(who, n, d):
    """Prints this process's peak and time for one call at `n` after one that has compiled the kernel."""
    function = ours("gaussian") if who == "tfmmd" else theirs("gaussian")
    on_samples(function, WARM_ROWS, d)()
    call, seconds = harness.timed(on_samples(function, n, d)), {}
    peak = harness.peak_above(lambda: seconds.update(call()))
    print(json.dumps({"peak_mb": peak, "seconds": seconds["wall"]}))


def measure_cases(rounds):
    """Times of all cases."""
    peer = harness.Peer("mmd_torch.py", TORCH)
    record = {"unit": "ratio of our time to the peer's, lower is better", "rounds": rounds, "cases": {}}
    for case, (n, d, kernel, targets) in CASES.items():
        times = measure_case(peer, n, d, kernel, rounds)
        record["cases"][case] = {
            "times": harness.medians(times),
            "ratios": harness.ratios(times, "tfmmd"),
            "targets": targets,
        }
        limit = limit_ms(n, d, kernel)
        of_limit = record["cases"][case]["times"]["tfmmd"]["wall_ms"] / sum(limit.values())
        record["cases"][case].update(limit_ms=limit, of_limit=of_limit)
        print(case, json.dumps(record["cases"][case]), flush=True)
    peer.close()
    return record


def measure_step(rounds):
    """Times of a training step."""
    peer = harness.Peer("mmd_torch.py", TORCH)
    steps = {"tfmmd": harness.timed(gmmn_step()), "torch": lambda: peer.ask(task="gmmn")}
    times = harness.interleaved(steps, rounds)
    peer.close()
    ratios = harness.ratios(times, "tfmmd")
    print("gmmn step", json.dumps(ratios), flush=True)
    return {"gmmn_step": {"times": harness.medians(times), "ratios": ratios, "target": STEP_TARGET}}


def measure_memory(sizes):
    """Peaks of both contestants at growing sizes."""
    peaks = {
        f"{who} d={d}": {
            n: measure_alone(who, n, d).get("peak_mb") for n in sizes if who == "tfmmd" or n <= PEER_LIMIT
        }
        for who in ("tfmmd", "tensorflow")
        for d in (10, 784)
    }
    print("peak", json.dumps(peaks), flush=True)
    return {"peak_mb": peaks, "peak_targets": {f"n={n} d={d}": mb for (n, d), mb in MEMORY_TARGETS.items()}}


def measure_large():
    """Our peak and time at sizes that others cannot hold."""
    runs = {f"n={n} d={d}": measure_alone("tfmmd", n, d) for n, d in LARGE}
    print("large", json.dumps(runs), flush=True)
    return {"large": runs}


def plot(record):
    """Draws ratios and peak memory to `docs/results/mmd.png`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    cases = record["cases"]
    for i, who in enumerate(("tfmmd", "tensorflow", "torch")):
        heights = [case["times"][who]["wall_ms"] for case in cases.values()]
        left.bar(np.arange(len(cases)) + 0.27 * (i - 1), heights, 0.27, label=who)
    left.set_xticks(range(len(cases)), [name.replace(" ", "\n") for name in cases], fontsize=8)
    left.set(yscale="log", ylabel="ms, value and gradient")
    for name, peaks in record["peak_mb"].items():
        peaks = {**peaks, **{n: r["peak_mb"] for n, r in _large_of(record, name).items()}}
        known = {int(n): mb for n, mb in peaks.items() if mb}
        right.plot(known.keys(), known.values(), "o-", label=name)
    right.set(xscale="log", yscale="log", xlabel="n", ylabel="MB above start, at the peak")
    left.legend(), right.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(harness.RESULTS / "mmd.png", dpi=110)


def _large_of(record, name):
    """Rows -> record of the large runs that continue a curve of memory."""
    who, features = name.split()
    runs = record.get("large", {}) if who == "tfmmd" else {}
    return {case.split()[0][2:]: run for case, run in runs.items() if case.endswith(f" {features}") and run}


def main():
    """Runs the benchmark and says which targets are missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="*", default=MEMORY_SIZES, help="n of the memory curve")
    parser.add_argument(
        "--only", choices=["cases", "step", "memory", "large"], help="keep the other parts as they are"
    )
    parser.add_argument("--peak", nargs=3, metavar=("WHO", "N", "D"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        return print_peak(options.peak[0], int(options.peak[1]), int(options.peak[2]))
    parts = {
        "cases": lambda: measure_cases(options.rounds),
        "step": lambda: measure_step(3 * options.rounds),
        "memory": lambda: measure_memory(options.sizes),
        "large": measure_large,
    }
    if options.only:
        measured = parts[options.only]()
        record = {**harness.read("mmd"), **measured}
    else:
        record = {key: value for part in parts.values() for key, value in part().items()}
    print(harness.write("mmd", record))
    plot(record)


if __name__ == "__main__":
    main()
