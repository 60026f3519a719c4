"""Two worker processes on loopback train as one process with the global batch."""

import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

import tfmmd  # noqa: F401  (loading needs the classes)

SETTINGS = {
    "hidden": [16],
    "num_samples": 100,
    "report_every": 4,
    "checkpoint_every": 4,
    "schedule": "constant",
}
ARGUMENTS = ["run", "gmmn", "--steps", "8", "--batch-size", "100"]


def start(run_dir, cluster=None, index=0, *more):
    """One process of a run."""
    command = [sys.executable, "-m", "trainers", *ARGUMENTS, "--run-dir", str(run_dir), *more]
    for name, value in SETTINGS.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    environment = {**os.environ}
    if cluster:
        command += ["--strategy", "multiworker"]
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": task})
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def finish(processes):
    """Their exit codes and error texts."""
    outputs = [process.communicate(timeout=300) for process in processes]
    return [process.returncode for process in processes], [error for _, error in outputs]


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return addresses


@pytest.mark.slow
@pytest.mark.distributed
def test_two_workers_train_as_one_process(tmp_path):
    cluster = free_addresses(2)
    codes, errors = finish([start(tmp_path / "two", cluster, i) for i in range(2)])
    assert codes == [0, 0], errors
    codes, errors = finish([start(tmp_path / "one")])
    assert codes == [0], errors
    one, two = (keras.models.load_model(tmp_path / name / "model.keras") for name in ("one", "two"))
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.slow
@pytest.mark.distributed
def test_workers_with_different_seeds_are_refused(tmp_path):
    cluster = free_addresses(2)
    codes, errors = finish([start(tmp_path / "x", cluster, i, "--seed", str(i)) for i in range(2)])
    assert codes == [2, 2] and "same command" in errors[0], errors
