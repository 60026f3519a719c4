"""Parzen scores of real training images and of k-means centroids: print them beside every model's score."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from tfmmd import data, metrics
from trainers.run_folder import write_json

LLOYD_STEPS = 6
FACE_BANDWIDTHS = tuple(round(0.01 * i, 2) for i in range(5, 25))  # yujiali/gmmn: 0.05 to 0.24
TABLE_BANDWIDTHS = tuple(round(0.05 * 1.2**i, 4) for i in range(20))  # in standard deviations: to 1.6


def cache_dir():
    """Folder of measured anchors: `TFMMD_CACHE_DIR`, else `~/.cache/tfmmd`."""
    return Path(os.environ.get("TFMMD_CACHE_DIR", Path.home() / ".cache" / "tfmmd"))


def parzen_anchors(run_data, num_samples, seed=0):
    """Scores of real training rows and of k-means centroids at the number of samples of the model's score.

    Args:
        run_data: A `RunData`.
        num_samples: Number of rows and of centroids; at most the training rows.
        seed: Seed of the rows' choice and of k-means.

    Returns:
        Dict "training images" (or rows) and "k-means centroids" -> the estimate's fields. Measured once: kept in
        `cache_dir()` under a hash of the data and of other bandwidths than MNIST's.
    """
    train = run_data.unit(run_data.train).reshape(len(run_data.train), -1)
    num_samples = min(num_samples, len(train))
    key = hashlib.sha256(np.ascontiguousarray(train).tobytes())
    key.update(np.ascontiguousarray(run_data.unit(run_data.test)).tobytes())
    if bandwidths(run_data):
        key.update(repr(bandwidths(run_data)).encode())
    path = cache_dir() / f"parzen-anchors-{key.hexdigest()[:16]}-{num_samples}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    rng = np.random.default_rng(seed)
    rows = {f"training {run_data.unit_name}": train[rng.permutation(len(train))[:num_samples]]}
    if num_samples < len(train):  # as many centroids as rows are the rows
        rows["k-means centroids"] = centroids(train, num_samples, seed)
    scores = {name: score(sample, run_data).to_dict() for name, sample in rows.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, scores)
    return scores


def centroids(rows, num_centroids, seed):
    """`[k, d]` centroids of rows `[n, d]` after a few Lloyd steps from random rows."""
    kmeans = KMeans(num_centroids, init="random", n_init=1, max_iter=LLOYD_STEPS, random_state=seed, tol=0.0)
    return kmeans.fit(rows).cluster_centers_.astype(np.float32)


def score(samples, run_data):
    """The Parzen estimate of samples `[n, ...]`, in the units of scores, against validation and test data."""
    held_out = (run_data.unit(x) for x in (run_data.test, run_data.validation))
    flat = [np.asarray(x).reshape(len(x), -1) for x in (samples, *held_out)]
    return metrics.parzen_log_likelihood(*flat, bandwidths=bandwidths(run_data))


def bandwidths(run_data):
    """Candidates of the Parzen window: a geometric grid for tables, the published ones for images; None is MNIST's."""
    if data.kind(run_data.dataset) == "table":
        return TABLE_BANDWIDTHS
    return FACE_BANDWIDTHS if run_data.dataset == "toronto_face_dataset" else None
