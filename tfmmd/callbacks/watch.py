"""Callbacks that watch a run: pictures of samples, divergence, collapse."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute
from tfmmd.callbacks import checkpoint, files
from tfmmd.callbacks.steps import StepCounter
from tfmmd.data.images import check_range


def tile(images, columns=None):
    """Images `[n, h, w, c]` in [0, 1] as one uint8 picture `[H, W, c]`, row by row with a thin frame."""
    images = np.clip(np.asarray(images, np.float32), 0.0, 1.0)
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    blank = -len(images) % columns
    images = np.concatenate([images, np.ones((blank, *images.shape[1:]), np.float32)])
    images = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=0.5)
    n, h, w, c = images.shape
    grid = images.reshape(n // columns, columns, h, w, c).swapaxes(1, 2)
    return np.round(grid.reshape(n // columns * h, columns * w, c) * 255).astype(np.uint8)


def write_png(path, picture, scale=1):
    """Writes a uint8 picture `[H, W, c]`, each pixel `scale` pixels wide, atomically."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.repeat(np.repeat(picture, scale, 0), scale, 1)
    with files.replacing(path) as draft:
        draft.write_bytes(tf.io.encode_png(picture).numpy())


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of samples from fixed seeds to TensorBoard, and to a file where one is named.

    Samples that are not images (rank 1, such as points in the plane) are drawn as a scatter of the first two
    coordinates.

    Args:
        log_dir: TensorBoard folder; None writes no event.
        path: PNG file that always shows the latest grid; None writes none.
        num_samples: Number of samples in the grid.
        every: Epochs between two grids; the last one is always drawn.
        value_range: Range of the model's images, mapped to [0, 1].
        seed: First of the fixed seeds.
    """

    def __init__(self, log_dir=None, path=None, num_samples=64, every=1, value_range=(0, 1), seed=0):
        super().__init__()
        self.path, self.seed = path, checks.int64("seed", seed)
        self.value_range = check_range(value_range)
        self.num_samples = checks.positive_int("num_samples", num_samples)
        self.every = checks.positive_int("every", every)
        self.writer = tf.summary.create_file_writer(str(log_dir)) if log_dir else None
        self.drawn_epoch = None

    def picture(self):
        """The grid as a uint8 picture `[H, W, c]`."""
        samples = np.asarray(self.model.sample(self.num_samples, seed=self.seed))
        if samples.ndim != 4:
            return scatter(samples)
        low, high = self.value_range
        return tile((samples - low) / (high - low))

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch
        if (epoch + 1) % self.every == 0:
            self.draw(epoch)

    def on_train_end(self, logs=None):
        if getattr(self, "epoch", None) != self.drawn_epoch:
            self.draw(self.epoch)
        if self.writer:
            self.writer.flush()

    def draw(self, epoch):
        """Draws and writes the grid of `epoch`."""
        picture = self.picture()
        self.drawn_epoch = epoch
        if self.writer:
            with self.writer.as_default():
                tf.summary.image("samples", picture[None], step=epoch + 1)
        if self.path:
            write_png(self.path, picture, scale=max(1, 512 // max(picture.shape)))


def scatter(points, size=256):
    """Points `[n, d]` as a uint8 picture of their first two coordinates (one coordinate: against its rank).

    Points that are not finite are left out.
    """
    points = np.asarray(points, np.float32).reshape(len(points), -1)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.full((size, size, 1), 255, np.uint8)
    if points.shape[1] == 1:
        points = np.concatenate([points, np.argsort(np.argsort(points, 0), 0)], 1)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    cells = ((points[:, :2] - low) / np.maximum(high - low, 1e-12) * (size - 5)).astype(int) + 2
    picture = np.full((size, size, 1), 255, np.uint8)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            picture[size - 1 - cells[:, 1] + dy, cells[:, 0] + dx] = 0
    return picture


class DivergedError(RuntimeError):
    """Training gave a loss, a gradient or a weight that is not finite."""


class DivergenceGuard(StepCounter):
    """Stops training at the first loss or gradient that is not finite, and says the step and which one.

    A gradient that is not finite spoils the weights, and those are looked at. The state of the model is then
    not saved by `Resume` (which must stand after this callback in the list): the last good checkpoint stays.
    With it, `roll_back` goes back to that checkpoint and lowers the learning rates.

    Args:
        weights_every: Steps between two looks at the weights; None looks at the losses alone.
        factor: What `roll_back` multiplies the learning rates by, in (0, 1).
        max_rollbacks: How often `roll_back` does so.

    Attributes:
        diverged: What was not finite and at which step; None before.
        rollbacks: The steps that `roll_back` went back to.

    Example:
        ```python
        guard, resume = DivergenceGuard(max_rollbacks=2), Resume("checkpoints", every=500)
        try:
            model.fit(batches, steps_per_epoch=500, epochs=20, callbacks=[guard, resume])
        except DivergedError:
            start = guard.roll_back(model, resume)  # then fit again from step `start`
        ```
    """

    def __init__(self, weights_every=1, *, factor=0.5, max_rollbacks=0):
        super().__init__()
        every = None if weights_every is None else checks.positive_int("weights_every", weights_every)
        self.weights_every, self.factor = every, checks.positive_number("factor", factor)
        if self.factor >= 1:
            checks.fail("`factor` must lie in (0, 1).", f"factor={factor!r}", "Use for example 0.5.")
        self.max_rollbacks = int(checks.non_negative("max_rollbacks", max_rollbacks))
        self.diverged, self.rollbacks, self._all_finite = None, [], None

    def on_train_begin(self, logs=None):
        variables = self.model.trainable_variables
        self._all_finite = tf.function(
            lambda: tf.reduce_all([True, *(tf.reduce_all(tf.math.is_finite(v.value)) for v in variables)])
        )

    def on_train_batch_end(self, batch, logs=None):
        before = self.step
        self.count(batch)
        bad = [f"{k} is not finite" for k, v in (logs or {}).items() if not np.all(np.isfinite(v))]
        if not bad and self.weights_every and self.step // self.weights_every > before // self.weights_every:
            bad = self._bad_weights()
        if bad:
            self.diverged = f"{bad[0]} at step {self.step}"
            raise DivergedError(
                checks.message(
                    "Losses and gradients must stay finite.",
                    self.diverged,
                    "Lower the learning rate and go on from the last checkpoint.",
                )
            )

    def roll_back(self, model, resume):
        """Restores the newest checkpoint of `resume` and lowers the learning rates of its optimizers.

        The second time at one checkpoint they are multiplied by `factor` twice, and so on.

        Returns:
            The step to go on from.

        Raises:
            DivergedError: If that was done `max_rollbacks` times, or there is no checkpoint.
            ValueError: If a learning rate is a schedule.
        """
        if len(self.rollbacks) >= self.max_rollbacks:
            raise DivergedError(f"{self.diverged}, after {len(self.rollbacks)} rollbacks.")
        start = resume.restore(model)
        if not start:
            raise DivergedError(f"{self.diverged}, before the first checkpoint.")
        self.rollbacks.append(start)
        for name, optimizer in checkpoint.optimizers_of(model).items():
            _lower_rate(name, optimizer, self.factor ** self.rollbacks.count(start))
        self.step, self.diverged = start, None
        return start

    def _bad_weights(self):
        if self._all_finite():
            return []
        return [f"the gradient of {path} is not finite" for path in checkpoint.not_finite(self.model)]


def _lower_rate(name, optimizer, factor):
    optimizer = distribute.unscaled(optimizer)
    rate = optimizer.get_config()["learning_rate"]
    if not isinstance(rate, (int, float)):
        checks.fail(
            "`roll_back` needs optimizers with a constant learning rate.",
            f"{name}.learning_rate={rate!r}",
            "Give the optimizers a number.",
        )
    optimizer.learning_rate = rate * factor
