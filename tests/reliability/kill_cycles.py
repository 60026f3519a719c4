"""Kills runs and resumes them, each in a fork of this process: `python -m tests.reliability.kill_cycles`.

The process imports everything and runs no operation of TensorFlow, so that its forks start at once and each
has a runtime of its own. Prints a JSON line for every chain of kills.
"""

import argparse
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
import zipfile
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf

from tests.reliability.kill_points import Killer, Points
from tfmmd.callbacks import checkpoint
from trainers import runner, systems

COMMON = {"steps": 6, "report_every": 4, "checkpoint_every": 2, "num_samples": 16}
SYSTEMS = {
    "gmmn": {"batch_size": 32, "hidden": [16]},
    "mmd-gan": {
        "batch_size": 8,
        "steps": 13,  # the scheduler's first two tests are at steps 11 and 12
        "report_every": 7,
        "checkpoint_every": 4,
        "generator_filters": 2,
        "critic_filters": 2,
        "critic_steps": 1,
        "kernel": "rbf",
        "bandwidths": [2.0],
        "kid_schedule": True,
        "kid_extractor": "pixels",
        "kid_every": 1,
    },
    "wae-gan": {
        "batch_size": 16,
        "hidden": [16, 16],
        "critic_hidden": [16, 16],
        "encoder_updates": 10,
        "encoder_batch_size": 64,
    },
    "gae": {"batch_size": 16, "hidden": [16]},
    "semi-supervised": {
        "batch_size": 10,
        "critic_hidden": [16, 16],
        "generator_hidden": [16, 16],
        "initial_rows": 50,
    },
}


class Run:
    """One run of a system that is killed and resumed.

    Args:
        system: Name of the system.
        folder: The run folder, which is replaced.
        eager: Whether operations run one by one: a fork then costs no trace.
    """

    def __init__(self, system, folder, eager=False):
        self.system, self.folder, self.eager = system, Path(folder), eager
        shutil.rmtree(folder, ignore_errors=True)
        self.log = self.folder.with_suffix(".log")
        self.log.write_text("")

    def go_on(self, target=None):
        """Starts or resumes the run in a fork; returns (whether it was killed, the labels it reached)."""
        before = len(self.log.read_text())
        newest = max([0, *(step for step, _ in checkpoint.list_files(self.folder / "checkpoints"))])
        child = os.fork()
        if child == 0:
            os._exit(self._train(target))
        status = os.waitpid(child, 0)[1]
        labels = self.log.read_text()[before:].splitlines()
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and status:
            raise RuntimeError(self.folder.with_suffix(".err").read_text()[-3000:])
        starts = [int(label.split()[2]) for label in labels if label.startswith("From step")]
        if starts and starts != [newest]:
            raise RuntimeError(f"{self.system} went on from step {starts}, with a checkpoint of {newest}.")
        return killed, labels

    def _train(self, target):
        """The forked process: trains to the end or to its death."""
        errors = os.open(self.folder.with_suffix(".err"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(errors, 2)
        log = os.open(self.log, os.O_WRONLY | os.O_APPEND)
        try:
            Points(self.folder, Killer(target, log).reached).install()
            runner.say = lambda text: os.write(log, f"{text}\n".encode())
            runner.use_deterministic_ops()
            tf.config.run_functions_eagerly(self.eager)
            overrides = {**COMMON, **SYSTEMS[self.system]}
            runner.run(
                runner.RunOptions(self.system, run_dir=str(self.folder), resume=True, overrides=overrides)
            )
        except BaseException:
            traceback.print_exc()
            return 1
        return 0

    def result(self):
        """What must be bit-equal at the end: all state, what callbacks remember, and the saved model."""
        *older, _, (step, path) = checkpoint.list_files(self.folder / "checkpoints")
        _, meta = checkpoint.read(path)
        return {
            "step": step,
            "state": meta["sha256"],
            "callbacks": hashlib.sha256(json.dumps(timeless(meta["extra"])).encode()).hexdigest(),
            "model": weights_digest(self.folder / "model.keras"),
            "files": self.file_names() - {p.name for _, p in older},  # the next checkpoint would clear them
        }

    def file_names(self):
        """Names of all files of the run, without TensorBoard's."""
        return {path.name for path in self.folder.rglob("*") if "tfevents" not in path.name}


def timeless(states):
    """States of callbacks without the seconds that training took."""
    return {key: {k: v for k, v in state.items() if k != "seconds"} for key, state in states.items()}


def weights_digest(path):
    """SHA-256 of all arrays in a `.keras` file."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        file = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    file.visititems(lambda name, x: _add(digest, name, x) if isinstance(x, h5py.Dataset) else None)
    return digest.hexdigest()


def _add(digest, name, dataset):
    digest.update(name.encode() + np.ascontiguousarray(dataset[()]).tobytes())


def plan(labels, seconds, cycles, rng):
    """Targets for `cycles` kills: every label of a write in turn, random steps and random times between them."""
    writes = [label for label in dict.fromkeys(labels) if label.split()[0] not in ("step", "From")]
    steps = [label for label in dict.fromkeys(labels) if label.startswith("step ")]
    others = [
        rng.choice([rng.choice(steps), rng.choice(steps), rng.uniform(0, seconds)]) for _ in range(cycles)
    ]
    chosen = rng.sample(writes, min(len(writes), -(-cycles * 3 // 5)))
    return chosen + others[: cycles - len(chosen)]


def chains(targets, length, labels, rng):
    """Targets in groups, each in the order in which a run comes by them."""
    order = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    rng.shuffle(targets)
    for start in range(0, len(targets), length):
        chain = targets[start : start + length]
        yield sorted(chain, key=lambda t: order.get(t, rng.randrange(len(order))))


def cycles_of(system, options):
    """Runs all kills of a system; yields a record for each chain: with `part` (i, n) every n-th from the i-th on."""
    rng = random.Random(f"{options.seed} {system}")
    reference, begun = Run(system, options.folder / f"{system}-whole", options.eager), time.monotonic()
    labels = reference.go_on()[1]
    seconds, expected = time.monotonic() - begun, reference.result()
    targets = plan(labels, seconds, options.cycles, rng)
    for number, chain in enumerate(chains(targets, options.chain, labels, rng)):
        if number % options.part[1] == options.part[0]:
            run = Run(system, options.folder / f"{system}-{number}", options.eager)
            yield chain_of(system, run, chain, expected)


def chain_of(system, run, chain, expected):
    """Kills a run at each target of a chain, lets it end, and compares."""
    record = {"system": system, "kills": [], "equal": True}
    for target in chain:
        while not run.go_on(target)[
            0
        ]:  # it had passed there, and is at its end: compare, and kill another one
            record["equal"] &= run.result() == expected
            run = Run(system, run.folder, run.eager)
            target = target if isinstance(target, str) else target / 2  # seconds: this run may be faster
        record["kills"].append(target)
    run.go_on()
    record["equal"] &= run.result() == expected
    return record


def main(argv=None):
    """Prints one JSON line for each chain; returns 0."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS))
    parser.add_argument("--cycles", type=int, default=4, help="kills of each system")
    parser.add_argument("--chain", type=int, default=4, help="kills of one run")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help="only these chains: I of N")
    parser.add_argument("--eager", action="store_true", help="run operations one by one: cheaper")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    for name in options.systems:
        systems.recipe(name)  # imported before the forks
        for record in cycles_of(name, options):
            print(json.dumps(record), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
