"""The alibi-detect peer of `benchmarks.two_sample`: answers requests on stdin from its own environment."""

import json
import sys
import time

import numpy as np
import torch
from alibi_detect.cd import MMDDrift
from alibi_detect.utils.pytorch.kernels import GaussianRBF


def samples(n, d):
    """Two samples `[n, d]`, the same in every process."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 0.05
    return x.astype(np.float32), y.astype(np.float32)


def test_time(x, y, bandwidth, permutations):
    """Wall and CPU seconds of one test."""
    kernel = GaussianRBF(sigma=torch.tensor([bandwidth]))
    detector = MMDDrift(x, backend="pytorch", kernel=kernel, n_permutations=permutations)
    wall, cpu = time.perf_counter(), time.process_time()
    detector.predict(y)
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def main():
    """Answers until stdin ends; with `measured` fewer permutations than wanted, the cost of each is extrapolated."""
    for line in sys.stdin:
        request = json.loads(line)
        x, y = samples(request["n"], request["d"])
        wanted, measured = request["permutations"], request["measured"]
        seconds = test_time(x, y, request["bandwidth"], measured)
        if measured < wanted:  # the kernel matrix is computed once, whatever their number
            each = (test_time(x, y, request["bandwidth"], 3 * measured) - seconds) / (2 * measured)
            seconds = seconds + (wanted - measured) * each
        print(json.dumps({"wall": seconds[0], "cpu": seconds[1]}), flush=True)


if __name__ == "__main__":
    main()
