"""Two worker processes on loopback train as one process with the global batch, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import tfmmd  # noqa: F401  (loading needs the classes)
from tfmmd.callbacks import checkpoint

SETTINGS = {
    "hidden": [16],
    "num_samples": 100,
    "report_every": 100,
    "checkpoint_every": 20,
    "schedule": "constant",
}
ARGUMENTS = ["run", "gmmn", "--batch-size", "100", "--deterministic"]
LONG, SHORT = 600, 8  # steps
BOUND = 60.0  # seconds in which a survivor must have ended

pytestmark = [pytest.mark.slow, pytest.mark.distributed]


def start(run_dir, cluster=None, index=0, *more, steps=SHORT, settings=None):
    """One process of a run."""
    command = [
        sys.executable,
        "-m",
        "trainers",
        *ARGUMENTS,
        "--steps",
        str(steps),
        "--run-dir",
        str(run_dir),
        *more,
    ]
    for name, value in {**SETTINGS, **(settings or {})}.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    environment = {**os.environ}
    if cluster:
        command += ["--strategy", "multiworker"]
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": task})
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def two(run_dir, *more, **options):
    """Both workers of a run, the chief first."""
    cluster = free_addresses(2)
    return [start(run_dir, cluster, index, *more, **options) for index in range(2)]


def finish(processes, timeout=600):
    """Their exit codes and error texts."""
    outputs = [process.communicate(timeout=timeout) for process in processes]
    return [process.returncode for process in processes], [error for _, error in outputs]


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return addresses


def wait_for_step(run_dir, step, processes, seconds=300):
    """Waits until a checkpoint of that step or a later one is there."""
    deadline = time.monotonic() + seconds
    while not any(s >= step for s, _ in checkpoint.list_files(run_dir / "checkpoints")):
        assert time.monotonic() < deadline and all(p.poll() is None for p in processes)
        time.sleep(0.02)


def weights(run_dir):
    return keras.models.load_model(run_dir / "model.keras").get_weights()


def check_same(one, two, tolerance):
    assert len(one) == len(two) > 0
    for a, b in zip(one, two):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shard_rows", [False, True])
def test_two_workers_train_as_one_process_and_the_chief_alone_writes(shard_rows, tmp_path):
    codes, errors = finish(two(tmp_path / "two", settings={"shard_rows": shard_rows}))
    assert codes == [0, 0], errors
    codes, errors = finish([start(tmp_path / "one")])
    assert codes == [0], errors
    check_same(weights(tmp_path / "one"), weights(tmp_path / "two"), 1e-5)
    names = [
        sorted(p.relative_to(tmp_path / run).parts[0] for p in (tmp_path / run).rglob("*") if p.is_file())
        for run in ("one", "two")
    ]
    assert names[0] == names[1]  # as many event files, checkpoints and pictures


@pytest.mark.parametrize("victim", [0, 1], ids=["chief", "worker"])
def test_a_killed_worker_ends_the_other_and_a_resumed_run_is_bit_equal(victim, tmp_path):
    codes, errors = finish(two(tmp_path / "whole", steps=LONG))
    assert codes == [0, 0], errors
    processes = two(tmp_path / "killed", steps=LONG)
    wait_for_step(tmp_path / "killed", 120, processes)  # epochs are 100 steps
    processes[victim].send_signal(signal.SIGKILL)
    began = time.monotonic()
    codes, errors = finish(processes, timeout=BOUND)
    print(f"the survivor ended {time.monotonic() - began:.1f} s after the kill")
    assert codes[victim] == -signal.SIGKILL and codes[1 - victim] == 1, errors
    assert "lost" in errors[1 - victim] and "--resume" in errors[1 - victim]
    assert not (tmp_path / "killed" / "model.keras").exists()
    codes, errors = finish(two(tmp_path / "killed", "--resume", steps=LONG))
    assert codes == [0, 0], errors
    for a, b in zip(weights(tmp_path / "whole"), weights(tmp_path / "killed"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_workers_with_different_seeds_are_refused(tmp_path):
    cluster = free_addresses(2)
    codes, errors = finish([start(tmp_path / "x", cluster, i, "--seed", str(i)) for i in range(2)])
    assert codes == [2, 2]
    assert all("same command" in error and "seed=1 (chief: 0)" in error for error in errors), errors
    assert not (tmp_path / "x").exists()


def test_a_batch_that_two_workers_cannot_share_is_refused(tmp_path):
    codes, errors = finish(two(tmp_path / "x", "--batch-size", "101"))
    assert codes == [2, 2] and all("--batch-size 100" in error for error in errors), errors
