"""Learning rates that fall when a model has stopped improving, judged by a statistical test on KID."""

import contextlib
import json
import logging
import math
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute, kernels
from tfmmd.callbacks import files
from tfmmd.discrepancies import moments

logger = logging.getLogger(__name__)


class KIDLearningRate(keras.callbacks.Callback):
    """Lowers both players' learning rates when samples no longer get closer to the data (KID).

    Every `every` generator steps, new samples are compared with those of `window` evaluations ago: the
    relative test asks whether their squared MMD to the real features is smaller. If p > `threshold` for
    `patience` evaluations against the same old samples, rates are multiplied by `factor` and only the last
    `keep` evaluations are remembered. Only sums of kernel matrices are kept, which `state` hands to `Resume`.

    Args:
        real: Real samples `[n, ...]`, `n >= num_samples`; the first `num_samples` are used.
        extractor: Function of samples `[b, ...]` -> features `[b, d]`; None takes the flat samples.
        every: Generator steps between two evaluations: 2000, and 500 on MNIST.
        num_samples: Rows of each sample of the test.
        window: Evaluations between the two that are compared.
        threshold: The p-value above which an evaluation counts as no improvement.
        patience: Such evaluations until the rates fall.
        factor: What rates are multiplied by, in (0, 1).
        min_learning_rate: The lowest rate.
        keep: Evaluations that are remembered when the rates have fallen.
        variance_floor: Lower bound of the test's variance. The released code has 1e-5, which for features of
            small scale hides improvements, so that rates fall sooner.
        kernel: A `tfmmd.kernels.Kernel` on features; None is that of KID, (<a, b> / d + 1)**3.
        seed: Seed of the samples; evaluation i draws its own.
        batch_size: Rows that the extractor gets at a time.
        log_dir: TensorBoard folder; None writes no event.
        directory: Folder of `kid_learning_rate.json`, which holds all decisions so far with the seconds of
            training before each; None writes none.

    Attributes:
        decisions: One dict for each evaluation: `step`, `kid`, `p_value` (None without a test), `chances`,
            `learning_rates`, `text`.

    Example:
        ```python
        scheduler = tfmmd.callbacks.KIDLearningRate(test_images, extractor=features, every=500)
        model.fit(images, batch_size=384, epochs=50, callbacks=[scheduler])
        ```

    Reference: [binkowski2018], [bounliphone2016]
    """

    def __init__(
        self,
        real,
        extractor=None,
        *,
        every=2000,
        num_samples=2048,
        window=10,
        threshold=0.1,
        patience=3,
        factor=0.5,
        min_learning_rate=1e-6,
        keep=3,
        variance_floor=1e-12,
        kernel=None,
        seed=0,
        batch_size=512,
        log_dir=None,
        directory=None,
    ):
        super().__init__()
        self.num_samples = checks.positive_int("num_samples", num_samples)
        if len(real) < max(4, self.num_samples):
            checks.fail(
                f"`real` must hold num_samples={num_samples} samples, and at least 4.",
                f"{len(real)} samples",
                "Give more real samples or a smaller num_samples.",
            )
        self.every, self.window = checks.positive_int("every", every), checks.positive_int("window", window)
        self.patience, self.keep = (
            checks.positive_int("patience", patience),
            checks.positive_int("keep", keep),
        )
        self.threshold, self.factor = _share("threshold", threshold), _share("factor", factor)
        self.min_learning_rate = checks.positive_number("min_learning_rate", min_learning_rate)
        self.variance_floor = checks.non_negative("variance_floor", variance_floor)
        self.extractor, self.batch_size = extractor or _flat, checks.positive_int("batch_size", batch_size)
        self.kernel = kernel or kernels.Polynomial()
        self.seed = checks.int64("seed", seed)
        self.write_to(log_dir, directory)
        self.real = self.features(np.asarray(real[: self.num_samples]))
        self.real_mean = float(moments.within(self.kernel(self.real, self.real)).mean)
        self.memory, self.decisions, self.evaluations, self.chances = [], [], 0, 0
        self.seconds, self._clock = [], Clock()

    def write_to(self, log_dir, directory):
        """Sets where decisions go: a TensorBoard folder and a folder of files, each may be None."""
        self.writer = tf.summary.create_file_writer(str(log_dir)) if log_dir else None
        self.path = Path(directory) / "kid_learning_rate.json" if directory else None

    # -- as a callback ---------------------------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        self._clock.start()
        for optimizer in self.optimizers():
            rate = optimizer.get_config()["learning_rate"]
            if not isinstance(rate, (int, float)):
                checks.fail(
                    "`KIDLearningRate` needs optimizers with a constant learning rate.",
                    f"learning_rate={rate!r}",
                    "Give the optimizers a number.",
                )

    def on_train_batch_end(self, batch, logs=None):
        step = int(distribute.read(self.optimizers()[0].iterations))
        if step // self.every > self.evaluations:
            with self._clock.paused():
                self.evaluate(step)

    def optimizers(self):
        """The model's optimizers, the generator's first."""
        found = [getattr(self.model, name) for name in self.model.compile_names if "optimizer" in name]
        return [distribute.unscaled(optimizer) for optimizer in found]

    # -- the test --------------------------------------------------------------------------------------------

    def evaluate(self, step):
        """Draws new samples at generator step `step` and decides on the learning rates."""
        seed = self.seed + self.evaluations * self.num_samples
        new = self.sums(self.features(self.model.sample(self.num_samples, seed=seed)))
        self.evaluations = step // self.every
        kid = self.real_mean + new["own_mean"] - 2 * new["cross_mean"]
        p_value = self.p_value(new, self.memory[0]) if len(self.memory) >= self.window else None
        text = f"Step {step}: KID {kid:.3g}; {self.decide(new, p_value)}."
        rates = [float(distribute.read(o.learning_rate)) for o in self.optimizers()]
        self.decisions.append(
            {
                "step": step,
                "kid": kid,
                "p_value": p_value,
                "chances": self.chances,
                "learning_rates": rates,
                "text": text,
            }
        )
        self.report(self.decisions[-1])

    def decide(self, new, p_value):
        """Updates memory and rates for new sums and their p-value; returns the decision in words."""
        if p_value is None:
            self.memory.append(new)
            return f"{len(self.memory)} of {self.window} evaluations before the first comparison"
        against = (
            f"p = {p_value:.3f} against {self.window if not self.chances else 'the same'} evaluations ago"
        )
        if p_value <= self.threshold:
            self.memory, self.chances = [*self.memory[1:], new], 0
            return f"better, {against}"
        self.chances += 1
        if self.chances < self.patience:
            return f"no better, {against} ({self.chances} of {self.patience})"
        self.memory, self.chances = [*self.memory, new][-self.keep :], 0
        return f"no better, {against}; learning rates now {self.lower_rates()}"

    def lower_rates(self):
        """Multiplies the rates by `factor`; returns them in words."""
        rates = []
        for optimizer in self.optimizers():
            old = float(distribute.read(optimizer.learning_rate))
            rate = min(old, max(old * self.factor, self.min_learning_rate))
            optimizer.learning_rate = rate
            rates.append(f"{rate:.3g}")
        return " and ".join(rates)

    def features(self, samples):
        """Features `[n, d]` of samples `[n, ...]`, float32."""
        chunks = range(0, len(samples), self.batch_size)
        parts = [self.extractor(samples[i : i + self.batch_size]) for i in chunks]
        return tf.cast(tf.concat(parts, axis=0), tf.float32)

    def sums(self, fake):
        """What the test needs to know of fake features `[m, d]`: moments of kernel matrices, as plain values."""
        own = moments.within(self.kernel(fake, fake))
        cross = moments.cross(self.kernel(self.real, fake))
        return {
            "own_mean": float(own.mean),
            "cross_mean": float(cross.mean),
            "first": float(own.first + cross.first_x + cross.first_y),
            "second": float(own.second + 2.0 * cross.second),
            "inner": float(moments.covariance(own.row_means, own.mean, cross.y_means, cross.mean)),
            "real_means": cross.x_means.numpy().tolist(),
        }

    def p_value(self, new, old):
        """The p-value of "new samples are no closer to the real ones than the old": small means better."""
        statistic, variance = relative_statistic(new, old, self.num_samples)
        ratio = statistic / math.sqrt(max(variance, self.variance_floor))
        return 0.5 * math.erfc(-ratio / math.sqrt(2.0))

    def report(self, decision):
        """Writes a decision to the log, to the file and to TensorBoard."""
        logger.info(decision["text"])
        self.seconds.append(self._clock.seconds)
        if self.path:
            record = {"decisions": self.decisions, "seconds": self.seconds}
            files.write_text(self.path, json.dumps(record, indent=2) + "\n")
        if self.writer is None:
            return
        scalars = {"kid": decision["kid"], "learning_rate": decision["learning_rates"][0]}
        if decision["p_value"] is not None:
            scalars["p_value"] = decision["p_value"]
        with self.writer.as_default():
            for name, value in scalars.items():
                tf.summary.scalar(f"kid_learning_rate/{name}", value, step=decision["step"])
            tf.summary.text("kid_learning_rate/decision", decision["text"], step=decision["step"])
        self.writer.flush()

    # -- resume ----------------------------------------------------------------------------------------------

    def state(self):
        """All memory as plain JSON values; learning rates belong to the optimizers' own state."""
        return {
            "memory": self.memory,
            "decisions": self.decisions,
            "evaluations": self.evaluations,
            "chances": self.chances,
            "seconds": self.seconds,
        }

    def restore(self, state):
        """Takes over what `state` gave."""
        self.memory, self.decisions = list(state["memory"]), list(state["decisions"])
        self.evaluations, self.chances = int(state["evaluations"]), int(state["chances"])
        self.seconds = list(state.get("seconds", ()))
        self._clock.seconds = self.seconds[-1] if self.seconds else 0.0


class Clock:
    """Seconds of training, without what is paused; goes on from `seconds` after a resume."""

    def __init__(self):
        self._past, self._began = 0.0, None

    @property
    def seconds(self):
        return self._past + (time.monotonic() - self._began if self._began else 0.0)

    @seconds.setter
    def seconds(self, value):
        self._past, self._began = float(value), None

    def start(self):
        """Lets the clock run, if it does not yet."""
        self._began = self._began or time.monotonic()

    @contextlib.contextmanager
    def paused(self):
        """Stops the clock for a while."""
        self._past, self._began = self.seconds, None
        yield
        self.start()


def relative_statistic(new, old, num_samples):
    """MMD2(real, new) - MMD2(real, old) and its variance, from two `KIDLearningRate.sums`."""
    statistic = (new["own_mean"] - 2 * new["cross_mean"]) - (old["own_mean"] - 2 * old["cross_mean"])
    new_real, old_real = np.array(new["real_means"]), np.array(old["real_means"])
    shared = float(np.mean(new_real * old_real)) - new["cross_mean"] * old["cross_mean"]
    brackets = new["inner"] + shared + old["inner"]
    first = new["first"] + old["first"] - 2.0 * brackets
    second = new["second"] + old["second"] - 4.0 * brackets
    return statistic, moments.u_variance(num_samples, first, second)


def _flat(samples):
    return tf.reshape(samples, [len(samples), -1])


def _share(name, value):
    if not 0 < checks.number(name, value) < 1:
        checks.fail(f"`{name}` must lie in (0, 1).", f"{name}={value!r}", "Use for example 0.5.")
    return float(value)
