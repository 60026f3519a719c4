"""The peers' side of `benchmarks metrics`, run by the interpreter of their environment."""

import functools
import json
import sys
import time
from pathlib import Path

import numpy as np

GRID = [i / 100 for i in range(10, 30)]
FEW = 10  # test points of a kernel density; the time is scaled to 10 000


@functools.cache
def arrays_of(folder):
    """The arrays that the benchmark wrote."""
    return {path.stem: np.load(path) for path in Path(folder).glob("*.npy")}


def main():
    """Answers one request a line: wall and CPU seconds of a case."""
    for line in sys.stdin:
        request = json.loads(line)
        function, scale = CASES[request["case"], request["peer"]](arrays_of(request["folder"]))
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"wall": wall * scale, "cpu": cpu * scale}), flush=True)


def torch_fidelity_fid(arrays):
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    real, fake = torch.tensor(arrays["real"]), torch.tensor(arrays["fake"])
    return lambda: fid_statistics_to_metric(
        fid_features_to_statistics(real), fid_features_to_statistics(fake), False
    ), 1


def torchmetrics_fid(arrays):
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Identity(torch.nn.Module):
        num_features = 2048

        def forward(self, x):
            return x

    metric = FrechetInceptionDistance(feature=Identity(), input_img_size=(2048,), normalize=True)
    real, fake = torch.tensor(arrays["real"]), torch.tensor(arrays["fake"])

    def run():
        metric.reset()
        metric._update_count, metric.orig_dtype = 1, torch.float32  # the sums are added by hand
        for start in range(0, len(real), 1000):
            add(metric, real[start : start + 1000], "real")
            add(metric, fake[start : start + 1000], "fake")
        metric.compute()

    return run, 1


def add(metric, features, side):
    """What `update` does after its extractor: sums in float64."""
    features = features.double()
    for name, value in (
        ("sum", features.sum(dim=0)),
        ("cov_sum", features.t().mm(features)),
        ("num_samples", len(features)),
    ):
        attribute = f"{side}_features_{name}"
        setattr(metric, attribute, getattr(metric, attribute) + value)


def torch_fidelity_kid(arrays):
    import torch
    from torch_fidelity.metric_kid import kid_features_to_metric

    real, fake = torch.tensor(arrays["real"][:10_000]), torch.tensor(arrays["fake"][:10_000])
    return lambda: kid_features_to_metric(real, fake, kid_subsets=20, kid_subset_size=1000, verbose=False), 5


def torchmetrics_kid(arrays):
    import torch
    from torchmetrics.image.kid import poly_mmd

    real, fake = torch.tensor(arrays["real"][:10_000]), torch.tensor(arrays["fake"][:10_000])

    def run():
        for _ in range(20):
            poly_mmd(real[torch.randperm(len(real))[:1000]], fake[torch.randperm(len(fake))[:1000]])

    return run, 5


def scikit_learn_kde(arrays):
    from sklearn.neighbors import KernelDensity

    fits = [KernelDensity(bandwidth=h).fit(arrays["samples"]) for h in GRID[::5]]
    points = arrays["points"][:FEW]
    return lambda: [fit.score_samples(points) for fit in fits], 5 * 10_000 / FEW


def scipy_kde(arrays):
    from scipy.stats import gaussian_kde

    samples, points = np.float64(arrays["samples"].T), np.float64(arrays["points"][:FEW].T)
    deviation = samples.std(axis=1, ddof=1).mean()
    kde = gaussian_kde(samples, bw_method=0.2 / deviation)
    return lambda: kde.logpdf(points), 20 * 10_000 / FEW


CASES = {
    ("fid", "torch-fidelity"): torch_fidelity_fid,
    ("fid", "torchmetrics"): torchmetrics_fid,
    ("kid", "torch-fidelity"): torch_fidelity_kid,
    ("kid", "torchmetrics"): torchmetrics_kid,
    ("kde", "scikit-learn"): scikit_learn_kde,
    ("kde", "scipy"): scipy_kde,
}

if __name__ == "__main__":
    main()
