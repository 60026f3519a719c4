"""Callbacks that watch a run: pictures of samples, divergence, collapse."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks


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
    picture = np.repeat(np.repeat(picture, scale, 0), scale, 1)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(tf.io.encode_png(picture).numpy())
    draft.replace(path)


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
        self.path, self.seed, self.value_range = path, seed, value_range
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
    """Points `[n, d]` as a uint8 picture of their first two coordinates (one coordinate: against its rank)."""
    points = np.asarray(points, np.float32).reshape(len(points), -1)
    if points.shape[1] == 1:
        points = np.concatenate([points, np.argsort(np.argsort(points, 0), 0)], 1)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    cells = ((points[:, :2] - low) / np.maximum(high - low, 1e-12) * (size - 5)).astype(int) + 2
    picture = np.full((size, size, 1), 255, np.uint8)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            picture[size - 1 - cells[:, 1] + dy, cells[:, 0] + dx] = 0
    return picture


class DivergenceGuard(keras.callbacks.Callback):
    """Stops training at the first loss that is not finite, and says the step and which loss.

    The state of the model is then not saved by `Resume` (which must stand after this callback in the list):
    the last good checkpoint stays.
    """

    def __init__(self):
        super().__init__()
        self.step, self.diverged = 0, None

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        bad = [name for name, value in (logs or {}).items() if not np.all(np.isfinite(value))]
        if bad:
            self.diverged = f"{bad[0]} is not finite at step {self.step}"
            raise DivergedError(
                checks.message(
                    "Losses must stay finite.",
                    self.diverged,
                    "Lower the learning rate and go on from the last checkpoint.",
                )
            )


class DivergedError(RuntimeError):
    """Training gave a loss that is not finite."""
