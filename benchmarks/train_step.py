"""Training steps against plain PyTorch, interleaved in one run: `python -m benchmarks.train_step`.

MMD GAN with the DCGAN networks of MNIST, 64 rows, 5 critic steps and 1 generator step: ours through
`model.fit`, the peer's in a process of its own from `.venv-bench`. A ratio is the median over rounds of our
seconds over the peer's, lower is better; WGAN-GP with 64 filters is timed beside.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from tfmmd import models, networks, priors

ROOT = Path(__file__).parent.parent
PEER = (ROOT / ".venv-bench" / "bin" / "python", Path(__file__).with_name("train_step_torch.py"))
RESULTS = ROOT / "docs" / "results" / "train_step.json"
SHAPE, ROWS, CRITIC_STEPS = (28, 28, 1), 64, 5
CASES = {"mmd-gan, 16 filters": 16, "mmd-gan, 64 filters": 64}
TARGET = 1.0  # of the ratio to PyTorch
BASELINE = "wgan-gp, 64 filters"


class Worker:
    """The peer's process: one JSON line a request, one a reply."""

    def __init__(self):
        self.process = subprocess.Popen(PEER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, critic_filters, steps):
        """Wall and CPU seconds per step."""
        self.process.stdin.write(json.dumps({"critic_filters": critic_filters, "steps": steps}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def build(system, critic_filters):
    """A compiled model with the released code's networks and optimizers."""
    critic = networks.dcgan_critic(SHAPE, 1 if system is models.WGANGP else 16, filters=critic_filters)
    model = system(networks.dcgan_generator(100, SHAPE), critic, priors.Uniform(100))
    model.compile(
        generator_optimizer=keras.optimizers.Adam(1e-4, 0.5, 0.9),
        critic_optimizer=keras.optimizers.Adam(1e-4, 0.5, 0.9),
        critic_steps=CRITIC_STEPS,
        clip_norm=1.0,
    )
    return model


def time_ours(model, data, steps):
    """Wall and CPU seconds per step of `fit`."""
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(data, steps_per_epoch=steps, verbose=0)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall / steps, "cpu": cpu / steps}


def measure(rounds, steps):
    """Records of every round: (case, who) -> list of times."""
    rows = (CRITIC_STEPS + 1) * ROWS
    x = np.random.default_rng(0).uniform(size=(rows, *SHAPE)).astype(np.float32)
    data = tf.data.Dataset.from_tensors(x).repeat()
    ours = {case: build(models.MMDGAN, filters) for case, filters in CASES.items()}
    ours[BASELINE] = build(models.WGANGP, 64)
    for model in ours.values():
        time_ours(model, data, 1)
    worker, times = Worker(), {}
    for _ in range(rounds):
        for case, model in ours.items():
            times.setdefault((case, "tfmmd"), []).append(time_ours(model, data, steps))
            if case in CASES:
                times.setdefault((case, "torch"), []).append(worker.time(CASES[case], steps))
    worker.close()
    return times


def summary(times):
    """Medians in milliseconds and ratios, ready for JSON."""
    records = []
    for case in (*CASES, BASELINE):
        mine = times[case, "tfmmd"]
        record = {"case": case, "unit": "ms per training step", "direction": "lower is better"}
        record["tfmmd"] = _medians(mine)
        if case in CASES:
            theirs = times[case, "torch"]
            record["torch"] = _medians(theirs)
            for kind in ("wall", "cpu"):
                ratios = [a[kind] / b[kind] for a, b in zip(mine, theirs)]
                record[f"{kind} ratio"] = round(statistics.median(ratios), 3)
            record["target"] = TARGET
        records.append(record)
    return records


def _medians(times):
    return {kind: round(1e3 * statistics.median(t[kind] for t in times), 1) for kind in ("wall", "cpu")}


def main():
    """Measures, prints and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=3, help="steps of each in a round")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    records = summary(measure(options.rounds, options.steps))
    for record in records:
        print(json.dumps(record))
    machine = {"platform": platform.platform(), "cpus": os.cpu_count(), "tensorflow": tf.__version__}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    content = {"rounds": options.rounds, "steps": options.steps, "machine": machine, "results": records}
    options.output.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
