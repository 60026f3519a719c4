"""The PyTorch peer of `benchmarks.mmd`: answers requests on stdin, one JSON line each, from its own environment."""

import json
import sys
import time

import numpy as np
import torch

BANDWIDTHS = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)
STATE = {}


def samples(n, d):
    """Two samples `[n, d]`, the same in every process."""
    rng = np.random.default_rng(0)
    scale = 1.0 if d > 100 else 3.0
    x, y = rng.normal(size=(n, d)) * scale, (rng.normal(size=(n, d)) + 0.1) * scale
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def kernel_of(name, d2):
    """The kernel of squared distances."""
    if name == "gaussian":
        return sum(torch.exp(-d2 / (2.0 * s**2)) for s in BANDWIDTHS)
    return sum(torch.exp(-a * torch.log(1.0 + d2.clamp(min=0.0) / (2.0 * a))) for a in ALPHAS)


def mmd2(x, y, name, biased=False):
    """MMD**2 of equal sizes as the sum of three kernel blocks."""
    n = x.shape[0]
    xx, xy, yy = x @ x.T, x @ y.T, y @ y.T
    x2, y2 = xx.diagonal(), yy.diagonal()
    kxx, kxy, kyy = (
        kernel_of(name, a[:, None] + b[None, :] - 2.0 * p)
        for p, a, b in ((xx, x2, x2), (xy, x2, y2), (yy, y2, y2))
    )
    if biased:
        return kxx.mean() + kyy.mean() - 2.0 * kxy.mean()
    within = [(k.sum() - k.trace()) / (n * (n - 1)) for k in (kxx, kyy)]
    return within[0] + within[1] - 2.0 * kxy.mean()


def run_mmd(n, d, kernel):
    """Value and gradient with respect to the generated batch."""
    if STATE.get("sizes") != (n, d):
        STATE.update(sizes=(n, d), samples=samples(n, d))
    real, fake = STATE["samples"]
    fake = fake.detach().requires_grad_()
    mmd2(real, fake, kernel).backward()


def run_gmmn():
    """One training step of the GMMN of the paper on MNIST-sized rows, batch 1000."""
    if "network" not in STATE:
        widths, parts = (10, 64, 256, 256, 1024), []
        for a, b in zip(widths, widths[1:]):
            parts += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        network = torch.nn.Sequential(*parts, torch.nn.Linear(1024, 784), torch.nn.Sigmoid())
        STATE.update(network=network, real=torch.rand(1000, 784))
        STATE["optimizer"] = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    STATE["optimizer"].zero_grad()
    fake = STATE["network"](torch.rand(1000, 10) * 2.0 - 1.0)
    mmd2(STATE["real"], fake, "gaussian", biased=True).clamp(min=1e-12).sqrt().backward()
    STATE["optimizer"].step()


def main():
    """Answers until stdin ends."""
    tasks = {"mmd": run_mmd, "gmmn": run_gmmn}
    for line in sys.stdin:
        request = json.loads(line)
        task = tasks[request.pop("task")]
        wall, cpu = time.perf_counter(), time.process_time()
        task(**request)
        print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    main()
