"""Speed of the measures against their peers, interleaved in one run: `python -m benchmarks.metrics`.

The peers live in an environment of their own, `.venv-bench-metrics`, made on first use, and run in one worker
process that computes on request; ours and theirs take turns on the same arrays. A ratio is the median over
rounds of our seconds over the peer's; lower is better. On a busy machine use `--threads 1 --clock cpu`: with
several threads waiting is counted as work. Peers that would take hours (kernel densities) are timed on fewer
test points and scaled up, which is exact for them: their time is proportional to the number of points.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
PEER_VENV = ROOT / ".venv-bench-metrics"
PEERS = ("torch-fidelity==0.4.0", "torchmetrics==1.9.0", "scipy", "scikit-learn")
RESULTS = ROOT / "docs" / "results" / "metrics.json"

CLOCKS = ("wall", "cpu")

# case -> peer -> largest allowed ratio
TARGETS = {
    "kde": {"scikit-learn": 1 / 500, "scipy": 1 / 500, "tfp": 1 / 500},
    "fid": {"torch-fidelity": 0.2, "torchmetrics": 0.45},
    "kid": {"torch-fidelity": 0.9, "torchmetrics": 0.55, "limit": 1.2},
}


class Worker:
    """The peers' process: one JSON line a request, one a reply."""

    def __init__(self, folder):
        command = [PEER_VENV / "bin" / "python", Path(__file__).with_name("metrics_peers.py"), folder]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, case, peer):
        """Wall and CPU seconds of a peer on a case."""
        self.process.stdin.write(json.dumps([case, peer]) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        return reply["wall"], reply["cpu"]

    def close(self):
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def install_peers():
    """Makes the peers' environment when it is missing."""
    if not (PEER_VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", PEER_VENV], check=True)
        subprocess.run([PEER_VENV / "bin" / "pip", "install", "-q", *PEERS], check=True)


def set_threads(number):
    """Threads of ours and of the peers; tell the linear algebra libraries before they start."""
    if os.environ.get("OMP_NUM_THREADS") != str(number):
        variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **{name: str(number) for name in variables}}
        sys.stdout.flush()
        command = [sys.executable, "-m", "benchmarks.metrics", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(number)


def timed(function):
    """Wall and CPU seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def write_arrays(folder, quick):
    """The arrays of all cases, as files that both processes read."""
    rng = np.random.default_rng(0)
    rows = 12_000 if quick else 50_000
    mix = rng.standard_normal((256, 2048), dtype=np.float32) / 16
    for name, shift in (("real", 0.0), ("fake", 0.05)):
        x = rng.standard_normal((rows, 256), dtype=np.float32) @ mix
        x += 0.3 * rng.standard_normal((rows, 2048), dtype=np.float32) + shift
        np.save(folder / f"{name}.npy", np.maximum(x, 0))
    np.save(folder / "samples.npy", rng.random((10_000, 784), dtype=np.float32))
    np.save(folder / "points.npy", rng.random((10_000, 784), dtype=np.float32))


def our_cases(folder):
    """Case -> function that computes it with tfmmd; float32 arrays in, as with the peers."""
    import tensorflow as tf

    from tfmmd import metrics
    from tfmmd.metrics.parzen import GRID

    real, fake, samples, points = (
        tf.constant(np.load(folder / f"{name}.npy")) for name in ("real", "fake", "samples", "points")
    )
    product = tf.function(lambda a, b: tf.matmul(a, b, transpose_b=True))

    def limit():
        for _ in range(100):  # three products a subset: no kernel, no gathering of rows
            for a, b in ((real, real), (fake, fake), (real, fake)):
                product(a[:1000], b[:1000])

    return {
        "kde": lambda: metrics.kernel_density_log_prob(samples, points, GRID),
        "fid": lambda: metrics.frechet_inception_distance(real, fake),
        "kid": lambda: metrics.kernel_inception_distance(real[:10_000], fake[:10_000]),
        "kid limit": limit,
    }


def tfp_density(folder):
    """Wall and CPU seconds of a TFP mixture, scaled to 10 000 points and 20 bandwidths."""
    from tfmmd.metrics import kde_distribution

    samples, points = (np.load(folder / f"{name}.npy") for name in ("samples", "points"))
    distribution = kde_distribution(samples, 0.2)
    wall, cpu = timed(lambda: distribution.log_prob(points[:10]))
    return wall * 1000 * 20, cpu * 1000 * 20


def measure(rounds, quick, names, clock):
    """Records of all cases: median ratios, seconds, targets."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_arrays(folder, quick)
        worker, ours = Worker(folder), our_cases(folder)
        records = []
        for case in names:
            ours[case]()  # compiles, warms up
            peers = {peer: lambda c=case, p=peer: worker.time(c, p) for peer in TARGETS[case]}
            if case == "kid":
                peers["limit"] = lambda: timed(ours["kid limit"])
            if case == "kde":
                peers["tfp"] = lambda: tfp_density(folder)
            records += compare(case, lambda c=case: timed(ours[c]), peers, rounds, clock)
        worker.close()
    return records


def compare(case, ours, peers, rounds, clock):
    """Takes turns, ours then each peer, `rounds` times."""
    own_times, peer_times = [], {peer: [] for peer in peers}
    for _ in range(rounds):
        own_times.append(ours())
        for peer, call in peers.items():
            peer_times[peer].append(call())
            seconds = f"ours {own_times[-1]}, {peer} {peer_times[peer][-1]}"
            print(f"{case}, wall and CPU seconds: {seconds}", file=sys.stderr, flush=True)
    own = np.array(own_times)
    return [record(case, peer, own, np.array(times), clock) for peer, times in peer_times.items()]


def record(case, peer, own, other, clock):
    """One line of the results."""
    own, other = own[:, CLOCKS.index(clock)], other[:, CLOCKS.index(clock)]
    ratio = float(np.median(own / other))
    return {
        "case": case,
        "peer": peer,
        "ratio": float(f"{ratio:.3g}"),
        "target": TARGETS[case][peer],
        "met": ratio <= TARGETS[case][peer],
        "unit": f"our {clock} seconds / the peer's, median over rounds",
        "direction": "lower is better",
        "our_seconds": float(f"{np.median(own):.3g}"),
        "peer_seconds": float(f"{np.median(other):.3g}"),
        "rounds": len(own),
    }


FULL_KID = """
import resource, sys, time
import numpy as np, tensorflow as tf
from tfmmd.metrics import kernel_inception_distance
rows = int(sys.argv[1])
tf.random.set_seed(0)
real, fake = (tf.nn.relu(tf.random.normal([rows, 2048])) for _ in range(2))
kernel_inception_distance(real[:2100], fake[:2100], estimator="full")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
kernel_inception_distance(real, fake, estimator="full")
seconds = time.perf_counter() - start
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20, seconds)
"""


def full_kid(rows):
    """Extra memory of the KID over all pairs of `rows` x `rows` features, in a process of its own."""
    command = [sys.executable, "-c", FULL_KID, str(rows)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    gigabytes, seconds = map(float, output.split())
    return {
        "case": f"kid of all pairs, {rows} x {rows} x 2048",
        "extra_memory": round(gigabytes, 3),
        "target": 2.0,
        "met": gigabytes < 2,
        "unit": "GiB above the inputs",
        "direction": "lower is better",
        "our_seconds": float(f"{seconds:.3g}"),
    }


def machine():
    """What the numbers were measured on."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"cpu": model[0].split(":")[1].strip(), "cores": len(model), "python": platform.python_version()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="12 000 instead of 50 000 rows of features")
    parser.add_argument("--cases", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument(
        "--full-kid-rows", type=int, default=0, help="also the memory of all pairs, try 50000"
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of ours and of the peers")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    install_peers()
    records = measure(arguments.rounds, arguments.quick, arguments.cases, arguments.clock)
    if arguments.full_kid_rows:
        records.append(full_kid(arguments.full_kid_rows))
    results = {"machine": {**machine(), "threads": arguments.threads}, "peers": PEERS}
    results |= {"rows": 12_000 if arguments.quick else 50_000, "records": records}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
