"""An alarm for generators that collapse."""

import math
import warnings

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks, kernels
from tfmmd.metrics.precision_recall import precision_recall

RECALL_NEIGHBOURS = 3
LEAST_RECALL = 0.05  # recall that never was higher says nothing when it falls
SAME = 0.01  # of the data's median distance: two samples closer than this count as one


class CollapseAlarm(keras.callbacks.Callback):
    """Warns when a generator's samples lose their variety, with the numbers and what to do.

    Watched are, on `num_samples` samples from fixed seeds every `every` epochs:
    `unique`, the share of samples that are no copy of another; `spread`, their median distance over the
    data's; `recall`, the share of the data near samples (`metrics.precision_recall`), over its highest value
    so far; with a classifier `entropy`, of the mean class probabilities over its highest value, log(classes);
    with a kernel `saturation`, the share of pairs of samples and data on which the kernel is flat.

    A collapse raises its alarm at the next look, `every` epochs later at the most.

    Args:
        data: Real samples `[m, ...]` to compare with.
        num_samples: Number of samples drawn.
        every: Epochs between two looks.
        min_unique: Alarm when `unique` is lower.
        min_spread: Alarm when `spread` is lower.
        min_recall: Alarm when `recall` is lower.
        classifier: Function or model, samples `[n, ...]` -> class probabilities `[n, K]`.
        min_entropy: Alarm when `entropy` is lower.
        kernel: A radial kernel on flattened samples.
        max_saturation: Alarm when `saturation` is higher.
        warmup: Epochs in which a number that never was good raises no alarm: first samples have no spread.
        stop: Whether an alarm stops training.
        log_dir: TensorBoard folder for the numbers; None writes none.
        seed: First of the fixed seeds.

    Attributes:
        alarms: List of (epoch, message), oldest first.
        numbers: The latest numbers by name.
    """

    def __init__(
        self,
        data,
        num_samples=256,
        every=1,
        *,
        min_unique=0.5,
        min_spread=0.2,
        min_recall=0.3,
        classifier=None,
        min_entropy=0.5,
        kernel=None,
        max_saturation=0.95,
        warmup=0,
        stop=False,
        log_dir=None,
        seed=0,
    ):
        super().__init__()
        self.num_samples = checks.positive_int("num_samples", num_samples)
        if self.num_samples < 2:
            checks.fail("Variety needs two samples.", f"num_samples={num_samples!r}", "Draw some hundred.")
        self.every = checks.positive_int("every", every)
        self.warmup, self.seed = int(checks.non_negative("warmup", warmup)), checks.int64("seed", seed)
        checks.not_empty("data", data)
        self.data = _rows(checks.finite("data", np.asarray(data)))[:1000]
        checks.min_rows("data", self.data, 2, "CollapseAlarm", "Give it more real samples.")
        self.distance = kernels.median_bandwidth(self.data)
        self.classifier, self.kernel, self.stop = classifier, kernel, stop
        limits = {"unique": min_unique, "spread": min_spread, "recall": min_recall, "entropy": min_entropy}
        self.limits = {k: checks.non_negative(f"min_{k}", v) for k, v in limits.items()}
        self.max_saturation = max_saturation
        self.write_to(log_dir)
        self.alarms, self.numbers = [], {}
        self.best_recall, self.good = 0.0, set()

    def write_to(self, log_dir, directory=None):
        """Sets the TensorBoard folder, which may be None; the run folder gets nothing."""
        self.writer = tf.summary.create_file_writer(str(log_dir)) if log_dir else None

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        samples = self.model.sample(self.num_samples, seed=self.seed)
        self.numbers = self.look(samples)
        for message in self.complaints(samples, early=epoch < self.warmup):
            self.alarms.append((epoch, message))
            warnings.warn(f"epoch {epoch + 1}: {message}", stacklevel=2)
        if self.stop and self.alarms and self.alarms[-1][0] == epoch:
            self.model.stop_training = True
        self._write(epoch)

    def look(self, samples):
        """The numbers of samples `[n, ...]`, by name."""
        rows = _rows(samples)
        numbers = {
            "unique": unique_share(rows, SAME * self.distance),
            "spread": _median(rows) / self.distance,
        }
        few = min(len(rows), len(self.data)) <= RECALL_NEIGHBOURS
        if not few and np.isfinite(rows).all():
            numbers["recall"] = self._recall(rows)
        if self.classifier is not None:
            mean = np.asarray(self.classifier(samples), np.float64).mean(0)
            entropy = (mean * np.log(1.0 / np.maximum(mean, 1e-300))).sum()
            numbers["entropy"] = float(entropy / math.log(len(mean)))
        if self.kernel is not None:
            numbers["saturation"] = kernels.saturation(self.kernel, rows, self.data).flat
        return numbers

    def complaints(self, samples, early=False):
        """Messages about the numbers that are out of bounds; `early`, only about those that once were good."""
        low = {name for name, limit in self.limits.items() if not self.numbers.get(name, limit) >= limit}
        self.good |= set(self.numbers) - low
        found = [
            f"Samples should stay varied. Received: {name}={self.numbers[name]:.3f}, below {self.limits[name]}. "
            "Lower the learning rate, or add minibatch discrimination or a larger batch."
            for name in self.limits
            if name in low and (name in self.good or not early)
        ]
        if self.numbers.get("saturation", 0.0) > self.max_saturation:
            report = kernels.saturation(self.kernel, _rows(samples), self.data)
            found.append(
                f"The kernel should tell samples and data apart. Received: {report}. Change its bandwidth."
            )
        return found

    def state(self):
        """What must be remembered when a run goes on: for `Resume`."""
        return {"best_recall": self.best_recall, "good": sorted(self.good), "alarms": self.alarms}

    def restore(self, state):
        """Takes over what `state` gave."""
        self.best_recall, self.good = float(state["best_recall"]), set(state["good"])
        self.alarms = [(int(epoch), message) for epoch, message in state["alarms"]]

    def _recall(self, rows):
        """Recall over its highest value so far, 1 while there is next to none."""
        recall = precision_recall(self.data, rows, k=RECALL_NEIGHBOURS).recall
        self.best_recall = max(self.best_recall, recall)
        return recall / self.best_recall if self.best_recall >= LEAST_RECALL else 1.0

    def _write(self, epoch):
        if self.writer:
            with self.writer.as_default():
                for name, value in self.numbers.items():
                    tf.summary.scalar(f"collapse/{name}", value, step=epoch + 1)
            self.writer.flush()


def unique_share(rows, distance):
    """Share of rows `[n, d]` that no earlier row is within `distance` of."""
    near = np.tril(_squared(rows) <= distance**2, k=-1)
    return float(1.0 - near.any(axis=1).mean())


def _squared(rows):
    centred = rows.astype(np.float64) - rows.mean(0)
    norms = (centred**2).sum(1)
    return norms[:, None] + norms[None] - 2 * centred @ centred.T


def _median(rows):
    squared = _squared(rows)[np.triu_indices(len(rows), 1)]
    return float(np.sqrt(max(np.median(squared), 0.0)))


def _rows(x):
    x = np.asarray(x, np.float32)
    return x.reshape(len(x), -1)
