"""A callback that measures a model's samples while it trains."""

import json
import sys
import time
from pathlib import Path

import keras
import tensorflow as tf

from tfmmd import checks
from tfmmd.callbacks import files
from tfmmd.metrics.panel import HeldOut, measure_samples, named_measures, scalars


class Evaluate(keras.callbacks.Callback):
    """Measures `model.sample(...)` against held-out data every few epochs.

    The numbers go to TensorBoard (`evaluation/<name>`, with the standard error beside), to a JSON file that
    holds the whole history and is replaced at once, and into the epoch's logs, so that later callbacks (early
    stopping, schedules) can watch them. The same seed gives the same noise every time.

    Args:
        metrics: Names in `tfmmd.metrics.panel.MEASURES` ("parzen", "kid", "fid", "precision_recall",
            "inception_score", "sharpness"), or a dict of name to a function of (samples, held_out).
        held_out: A `tfmmd.metrics.panel.HeldOut`, or an array of test data.
        every: Epochs between two evaluations; the last epoch is always evaluated.
        num_samples: Number of samples, part of the definition of most measures.
        seed: Seed of the samples.
        value_range: Range of the model's samples, mapped to [0, 1].
        log_dir: TensorBoard folder; None writes no event.
        path: JSON file; None writes none.
        verbose: 0 is silent, 1 prints progress and results to stderr.

    Example:
        held_out = HeldOut(test, validation, extractor=lenet_features("lenet.keras"))
        model.fit(data, callbacks=[Evaluate(("parzen", "kid"), held_out, every=5, log_dir="logs")])
    """

    def __init__(
        self,
        metrics,
        held_out,
        *,
        every=1,
        num_samples=10_000,
        seed=0,
        value_range=(0, 1),
        log_dir=None,
        path=None,
        verbose=1,
    ):
        super().__init__()
        self.metrics = named_measures(metrics)
        self.held_out = held_out if isinstance(held_out, HeldOut) else HeldOut(held_out)
        self.every = checks.positive_int("every", every)
        self.num_samples = checks.positive_int("num_samples", num_samples)
        self.seed, self.value_range, self.verbose = checks.int64("seed", seed), value_range, verbose
        self.path = Path(path) if path else None
        self.writer = tf.summary.create_file_writer(str(log_dir)) if log_dir else None
        self.history, self.epoch = [], None

    def on_train_begin(self, logs=None):
        self.epoch = None
        if self.path and self.path.exists():
            self.history = json.loads(self.path.read_text()).get("history", [])

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch
        if (epoch + 1) % self.every == 0:
            self.evaluate(logs)

    def on_train_end(self, logs=None):
        if self.epoch is not None and (self.epoch + 1) % self.every:
            self.evaluate(logs)
        if self.writer:
            self.writer.flush()

    def evaluate(self, logs=None):
        """Measures now; returns a dict of name to record."""
        start = time.perf_counter()
        low, high = self.value_range
        samples = (self.model.sample(self.num_samples, seed=self.seed) - low) / (high - low)
        records = measure_samples(samples, self.held_out, self.metrics, on_start=self._progress)
        numbers = scalars(records)
        if logs is not None:
            logs.update(numbers)
        self._to_tensorboard(numbers)
        self._to_json(records)
        for record in records.values():
            self._say(f"epoch {self.epoch + 1}: {record}")
        self._say(f"evaluated in {time.perf_counter() - start:.1f} s")
        return records

    def _progress(self, name):
        place = list(self.metrics).index(name) + 1
        self._say(f"evaluating {name} ({place} of {len(self.metrics)}, {self.num_samples} samples) ...")

    def _say(self, text):
        if self.verbose:
            print(text, file=sys.stderr, flush=True)

    def _to_tensorboard(self, numbers):
        if self.writer is None:
            return
        with self.writer.as_default():
            for name, value in numbers.items():
                tf.summary.scalar(f"evaluation/{name}", value, step=self.epoch + 1)
        self.writer.flush()

    def _to_json(self, records):
        entry = {"epoch": self.epoch + 1, **{name: record.to_dict() for name, record in records.items()}}
        earlier = [old for old in self.history if old["epoch"] < entry["epoch"]]  # a resumed run repeats none
        self.history = [*earlier, entry]
        if self.path:
            files.write_text(self.path, json.dumps({"history": self.history}, indent=2) + "\n")
