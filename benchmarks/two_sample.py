"""The permutation two-sample test against alibi-detect: `python -m benchmarks two_sample`.

Both draw 1000 permutations for one Gaussian kernel of fixed bandwidth on samples of equal size; a speed-up is
the median over rounds of their wall time over ours.
"""

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks import harness
from tfmmd import discrepancies, kernels

PEER = ("torch==2.13.0", "numpy", "alibi-detect")
FEATURES, PERMUTATIONS, BANDWIDTH = 10, 1000, 3.0
TARGETS = {1000: 100.0, 5000: 200.0}  # speed-up over alibi-detect
MEASURED = {
    1000: PERMUTATIONS,
    5000: 10,
}  # permutations the peer runs; the cost of the others is extrapolated


def samples(n):
    """Two samples `[n, d]`, the same in every process."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, FEATURES)), rng.normal(size=(n, FEATURES)) + 0.05
    return x.astype(np.float32), y.astype(np.float32)


def measure_case(peer, n, rounds):
    """Times of both contestants on two samples of `n` rows."""
    x, y = samples(n)
    kernel = kernels.Gaussian((BANDWIDTH,))
    variants = {
        "tfmmd": harness.timed(
            lambda: discrepancies.permutation_test(x, y, kernel, num_permutations=PERMUTATIONS, seed=0)
        ),
        "alibi-detect": lambda: peer.ask(
            n=n, d=FEATURES, bandwidth=BANDWIDTH, permutations=PERMUTATIONS, measured=MEASURED[n]
        ),
    }
    return harness.interleaved(variants, rounds)


def measure(rounds):
    """All records of the benchmark."""
    peer = harness.Peer("two_sample_alibi.py", PEER)
    record = {
        "unit": "speed-up over alibi-detect, higher is better",
        "permutations": PERMUTATIONS,
        "cases": {},
    }
    for n, target in TARGETS.items():
        times = measure_case(peer, n, rounds)
        speedup = {kind: 1.0 / r for kind, r in harness.ratios(times, "tfmmd")["alibi-detect"].items()}
        record["cases"][n] = {"times": harness.medians(times), "speedup": speedup, "target": target}
        print(n, json.dumps(record["cases"][n]), flush=True)
    peer.close()
    return record


def main():
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    print(harness.write("two_sample", measure(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
