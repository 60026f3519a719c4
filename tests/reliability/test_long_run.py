"""Ten thousand steps: one trace, flat memory."""

import gc
import os

import keras
import numpy as np
import pytest

from tests import systems
from tfmmd import callbacks, data

STEPS, WARM_UP, EVERY = 10_000, 2_000, 500


class Memory(keras.callbacks.Callback):
    """Resident memory of this process in bytes, at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def on_epoch_end(self, epoch, logs=None):
        gc.collect()
        with open("/proc/self/statm") as file:
            self.sizes.append(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


@pytest.mark.slow
def test_10_000_steps_trace_once_and_grow_less_than_5_percent(tmp_path):
    model = systems.gmmn()
    systems.compile_one(model)
    traces, original = [], model.train_step
    model.train_step = lambda batch: (traces.append(1), original(batch))[1]
    memory = Memory()
    watchers = [
        callbacks.DivergenceGuard(),
        callbacks.SampleGrid(tmp_path / "logs", tmp_path / "samples.png", num_samples=16, every=5),
        callbacks.CollapseAlarm(systems.digits(200), num_samples=64, every=5, min_unique=0, min_spread=0),
        callbacks.Resume(tmp_path / "checkpoints", every=1000),
        memory,
    ]
    stream = data.batches(systems.digits(500), 16, seed=0)
    epochs = {"steps_per_epoch": EVERY, "epochs": STEPS // EVERY}
    model.fit(stream, **epochs, verbose=0, callbacks=watchers)
    assert int(model.optimizer.iterations) == STEPS
    sizes = np.array(memory.sizes[WARM_UP // EVERY :]) / 2**20
    print(f"{len(traces)} trace, {sizes[0]:.0f} MB after {WARM_UP} steps, {sizes.max():.0f} MB at most after")
    assert len(traces) == 1
    assert sizes.max() < 1.05 * sizes[0]
