"""The measures against torch-fidelity, torchmetrics, scikit-learn, SciPy and TFP: `python -m benchmarks metrics`.

Same arrays for all. A ratio is the median over rounds of our time over the peer's; lower is better. Kernel
densities by peers would take hours: they are timed on ten test points and scaled up, which is exact, since their
time is proportional to the number of points. On a busy machine use `--threads 1` and read the CPU ratios: with
several threads waiting counts as work.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks import harness

PEERS = ("torch==2.14.1", "torchvision==0.29.1", "torch-fidelity==0.4.0", "torchmetrics==1.9.0")
PEERS += ("scipy", "scikit-learn")
ENVIRONMENT = harness.ROOT / ".venv-bench-metrics"  # torch-fidelity needs a torchvision, hence another torch
TARGETS = {  # case -> peer -> largest allowed ratio
    "kde": {"scikit-learn": 1 / 500, "scipy": 1 / 500, "tfp": 1 / 500},
    "fid": {"torch-fidelity": 0.2, "torchmetrics": 0.45},
    "kid": {"torch-fidelity": 0.9, "torchmetrics": 0.55, "limit": 1.2},
}
TFP_POINTS = 10


def write_arrays(folder, rows):
    """The arrays of all cases, as files that both processes read."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((256, 2048), dtype=np.float32) / 16
    for name, shift in (("real", 0.0), ("fake", 0.05)):
        x = rng.standard_normal((rows, 256), dtype=np.float32) @ mix
        x += 0.3 * rng.standard_normal((rows, 2048), dtype=np.float32) + shift
        np.save(folder / f"{name}.npy", np.maximum(x, 0))
    for name in ("samples", "points"):
        np.save(folder / f"{name}.npy", rng.random((10_000, 784), dtype=np.float32))


def our_variants(folder):
    """(case, variant) -> timed function, for what runs in this process."""
    import tensorflow as tf

    from tfmmd import metrics
    from tfmmd.metrics.parzen import GRID

    names = ("real", "fake", "samples", "points")
    real, fake, samples, points = (tf.constant(np.load(folder / f"{name}.npy")) for name in names)
    some = real[:1000], fake[:1000]
    mixture = metrics.kde_distribution(samples, 0.2)

    def limit():
        for _ in range(100):  # the three products of a subset: no kernel, no gathering of rows
            for a, b in ((0, 0), (1, 1), (0, 1)):
                tf.matmul(some[a], some[b], transpose_b=True)

    functions = {
        ("kde", "tfmmd"): lambda: metrics.kernel_density_log_prob(samples, points, GRID),
        ("kde", "tfp"): lambda: mixture.log_prob(points[:TFP_POINTS]),
        ("fid", "tfmmd"): lambda: metrics.frechet_inception_distance(real, fake),
        ("kid", "tfmmd"): lambda: metrics.kernel_inception_distance(real[:10_000], fake[:10_000]),
        ("kid", "limit"): limit,
    }
    variants = {key: harness.timed(function) for key, function in functions.items()}
    variants["kde", "tfp"] = scaled(variants["kde", "tfp"], len(points) / TFP_POINTS * len(GRID))
    return variants


def scaled(run, factor):
    """A timed function whose seconds stand for `factor` times as much work."""
    return lambda: {kind: seconds * factor for kind, seconds in run().items()}


def measure(case, rounds, ours, peer, folder):
    """One case: medians, ratios, targets."""
    variants = {"tfmmd": ours[case, "tfmmd"]}
    for name in TARGETS[case]:
        asked = lambda name=name: peer.ask(folder=str(folder), case=case, peer=name)  # noqa: E731
        variants[name] = ours.get((case, name), asked)
    times = harness.interleaved(variants, rounds)
    record = {
        "ratios": harness.ratios(times, "tfmmd"),
        "targets": TARGETS[case],
        "times": harness.medians(times),
        "rounds": rounds,
    }
    print(case, json.dumps(record), file=sys.stderr, flush=True)
    return record


def full_kid(rows):
    """Megabytes and seconds of the KID over all pairs of `rows` x `rows` features."""
    import tensorflow as tf

    from tfmmd.metrics import kernel_inception_distance

    real, fake = (tf.nn.relu(tf.random.stateless_normal([rows, 2048], [0, i])) for i in range(2))
    kernel_inception_distance(real[:2100], fake[:2100], estimator="full")
    times = {}
    run = harness.timed(lambda: kernel_inception_distance(real, fake, estimator="full"))
    megabytes = harness.peak_above(lambda: times.update(run()))
    record = {"rows": rows, "features": 2048, "megabytes_above_inputs": megabytes, "target": 2000, **times}
    print("kid of all pairs", json.dumps(record), file=sys.stderr, flush=True)
    return record


def set_threads(number):
    """Threads of ours and of the peers; linear algebra libraries must know before they start."""
    if os.environ.get("OMP_NUM_THREADS") != str(number):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **{name: str(number) for name in names}}
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", "metrics", *sys.argv[1:]], environment)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(number)


def earlier(threads):
    """What the results file holds from runs with as many threads, or nothing."""
    path = harness.RESULTS / "metrics.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    return record if record.get("threads") == threads else {"cases": {}}


def plot(record):
    """Draws every peer's time over ours, and the target, to `docs/results/metrics.png`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    cases = record["cases"]
    bars = [(case, peer) for case in cases for peer in cases[case]["targets"]]
    figure, axes = pyplot.subplots(figsize=(8, 4))
    for key, label, size in (("ratios", "measured", 0.4), ("targets", "target", 0.2)):
        values = [cases[case][key][peer] for case, peer in bars]
        heights = [1 / (v["wall"] if isinstance(v, dict) else v) for v in values]
        axes.barh(np.arange(len(bars)) + (size == 0.2) * 0.3, heights, size, label=label)
    axes.set_yticks(range(len(bars)), [f"{case}: {peer}" for case, peer in bars])
    axes.set(xscale="log", xlabel="the peer's time / ours (limit: products alone)")
    axes.axvline(1, color="black", linewidth=0.8), axes.legend()
    figure.tight_layout()
    figure.savefig(harness.RESULTS / "metrics.png", dpi=110)


def arguments():
    """The parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=50_000, help="rows of features of each side")
    parser.add_argument("--cases", nargs="*", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument(
        "--full-kid-rows", type=int, default=0, help="memory of the KID of all pairs, try 50000"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of ours and of the peers")
    return parser.parse_args()


def main():
    """Runs the benchmark."""
    options = arguments()
    set_threads(options.threads)
    record = {"cases": {}, **earlier(options.threads)}
    record |= {
        "unit": "our time / the peer's, lower is better",
        "threads": options.threads,
        "rows": options.rows,
        "kde_points_of_peers": TFP_POINTS,  # scaled up to 10 000
    }
    if options.cases:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_arrays(folder, options.rows)
            peer, ours = harness.Peer("metrics_peers.py", PEERS, ENVIRONMENT), our_variants(folder)
            for case in options.cases:
                record["cases"][case] = measure(case, options.rounds, ours, peer, folder)
            peer.close()
    if options.full_kid_rows:
        record["kid_of_all_pairs"] = full_kid(options.full_kid_rows)
    record.pop("machine", None)
    print(harness.write("metrics", record))
    plot(record)


if __name__ == "__main__":
    main()
