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


def main():
    """Answers until stdin ends: the time of a test, scaled from `permutations` to `scale` of them."""
    for line in sys.stdin:
        request = json.loads(line)
        x, y = samples(request["n"], request["d"])
        kernel = GaussianRBF(sigma=torch.tensor([request["bandwidth"]]))
        detector = MMDDrift(x, backend="pytorch", kernel=kernel, n_permutations=request["permutations"])
        factor = request["scale"] / request["permutations"]
        wall, cpu = time.perf_counter(), time.process_time()
        detector.predict(y)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"wall": factor * wall, "cpu": factor * cpu}), flush=True)


if __name__ == "__main__":
    main()
