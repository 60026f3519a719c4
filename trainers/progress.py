"""Progress of a run on stderr: losses per player, images a second, time left."""

import sys
import time

from tfmmd.callbacks.steps import StepCounter


class Progress(StepCounter):
    """One line that is rewritten on a terminal, and a line per report elsewhere.

    Args:
        total_steps: Steps of the whole run.
        start_step: Steps finished before, on resume.
        rows_per_step: Rows of data in one step.
        unit: What a row is, in the plural.
        stream: Where to write.
    """

    def __init__(self, total_steps, start_step=0, rows_per_step=1, unit="images", stream=None):
        super().__init__()
        self.total, self.step, self.rows = total_steps, start_step, rows_per_step
        self.start, self.unit, self.stream = start_step, unit, stream or sys.stderr
        self.began = self.shown = None

    def skip(self, steps):
        """Counts steps that were done before as done, but not for the rate."""
        self.step, self.start = self.step + steps, self.start + steps

    def on_train_begin(self, logs=None):
        self.began = self.began or time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.count(batch)
        now = time.monotonic()
        if self.stream.isatty() and now - (self.shown or 0) > 0.2:
            self.shown = now
            print(f"\r\033[K{self.line(logs)}", end="", file=self.stream, flush=True)

    def on_epoch_end(self, epoch, logs=None):
        begin = "\r\033[K" if self.stream.isatty() else ""
        print(f"{begin}{self.line(logs)}", file=self.stream, flush=True)

    def line(self, logs):
        """The progress line."""
        done = max(self.step - self.start, 1)
        rate = done / max(time.monotonic() - self.began, 1e-9)
        losses = "  ".join(f"{name} {float(value):.4g}" for name, value in (logs or {}).items())
        left = duration((self.total - self.step) / rate)
        share = self.step / self.total
        return (
            f"step {self.step}/{self.total} [{'=' * int(20 * share):<20}] {losses}  "
            f"{rate * self.rows:.0f} {self.unit}/s  {left} left"
        )


def duration(seconds):
    """`75` -> "1m15s"."""
    seconds = int(seconds)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
