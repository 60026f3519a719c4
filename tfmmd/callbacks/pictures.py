"""Pictures of auto-encoders and the memorisation check, for TensorBoard and the run folder."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.callbacks.watch import tile, write_png
from tfmmd.kernels.pairs import squared_distances

PALETTE = np.array(  # ten colours for labels, taken in turn
    [
        *[(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189)],
        *[(140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207)],
    ],
    np.uint8,
)


class Picture(keras.callbacks.Callback):
    """Base of the pictures: draws every so many epochs and at the end.

    Args:
        log_dir: TensorBoard folder; None writes no event.
        directory: Folder of `<name>.png`, which always shows the latest picture; None writes none.
        every: Epochs between two pictures.
        value_range: Range of the model's images, mapped to [0, 1].
    """

    title = "picture"

    def __init__(self, log_dir=None, directory=None, every=1, value_range=(0, 1)):
        super().__init__()
        self.every, self.value_range = checks.positive_int("every", every), value_range
        self.epoch = self.drawn_epoch = None
        self.write_to(log_dir, directory)

    def write_to(self, log_dir, directory):
        """Sets where pictures go: a TensorBoard folder and a folder of files, each may be None."""
        self.writer = tf.summary.create_file_writer(str(log_dir)) if log_dir else None
        self.path = Path(directory) / f"{self.title}.png" if directory else None

    def picture(self):
        """The picture, uint8 `[H, W, c]`."""
        raise NotImplementedError

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch
        if (epoch + 1) % self.every == 0:
            self.draw()

    def on_train_end(self, logs=None):
        if self.epoch != self.drawn_epoch:
            self.draw()
        if self.writer:
            self.writer.flush()

    def draw(self):
        """Draws the picture and writes it."""
        picture, self.drawn_epoch = self.picture(), self.epoch
        if self.writer:
            with self.writer.as_default():
                tf.summary.image(self.title, picture[None], step=self.epoch + 1)
        if self.path:
            write_png(self.path, picture, scale=max(1, 512 // max(picture.shape)))

    def unit(self, images):
        """Images in the model's range as float32 in [0, 1]."""
        low, high = self.value_range
        return (np.asarray(images, np.float32) - low) / (high - low)


class Reconstructions(Picture):
    """Images beside their reconstructions, in pairs of columns.

    Args:
        x: Images `[n, h, w, c]`.
        **kwargs: As in `Picture`.
    """

    title = "reconstructions"

    def __init__(self, x, **kwargs):
        super().__init__(**kwargs)
        self.x = np.asarray(x)

    def picture(self):
        pairs = np.stack([self.x, np.asarray(self.model.reconstruct(self.x))], axis=1)
        return tile(self.unit(pairs.reshape(-1, *self.x.shape[1:])), columns=8)


class Interpolations(Picture):
    """Rows that lead from one image to another through the code space.

    Args:
        start: Images `[n, h, w, c]`, one or more.
        end: Images `[n, h, w, c]`, one for each of `start`.
        num_steps: Images in a row, both ends included.
        **kwargs: As in `Picture`.
    """

    title = "interpolations"

    def __init__(self, start, end, num_steps=10, **kwargs):
        super().__init__(**kwargs)
        self.start, self.end, self.num_steps = np.asarray(start), np.asarray(end), num_steps
        if len(self.start) != len(self.end) or not len(self.start):
            checks.fail(
                "Interpolations lead from each image of `start` to one of `end`.",
                f"{len(self.start)} and {len(self.end)} images",
                "Give as many of both, one at least.",
            )

    def picture(self):
        path = np.asarray(self.model.interpolate(self.start, self.end, self.num_steps))
        return tile(self.unit(path.reshape(-1, *path.shape[2:])), columns=self.num_steps)


class LatentMap(Picture):
    """Codes in the plane, coloured by label; codes of more than two entries by their principal components.

    Args:
        x: Data `[n, ...]`.
        labels: int `[n]`, or None for one colour.
        size: Side of the picture in pixels.
        **kwargs: As in `Picture`.
    """

    title = "latent_map"

    def __init__(self, x, labels=None, size=512, **kwargs):
        super().__init__(**kwargs)
        self.x, self.size = np.asarray(x), checks.positive_int("size", size)
        self.labels = np.zeros(len(self.x), int) if labels is None else np.asarray(labels)

    def picture(self):
        points = plane(np.asarray(self.model.encode(self.x)))
        low, high = points.min(0), points.max(0)
        cells = ((points - low) / np.maximum(high - low, 1e-12) * (self.size - 5)).astype(int) + 2
        picture = np.full((self.size, self.size, 3), 255, np.uint8)
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                colours = PALETTE[self.labels % len(PALETTE)]
                picture[self.size - 1 - cells[:, 1] + dy, cells[:, 0] + dx] = colours
        return picture


class NearestNeighbours(Picture):
    """Samples, each beside the nearest training images: whether the model repeats its data.

    Args:
        train: Training images `[n, h, w, c]`.
        num_samples: Rows of the picture.
        num_neighbours: Training images in a row, after the sample.
        seed: First of the samples' fixed seeds.
        **kwargs: As in `Picture`.
    """

    title = "nearest_neighbours"

    def __init__(self, train, num_samples=8, num_neighbours=5, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.train = np.asarray(train, np.float32)
        self.num_samples = checks.positive_int("num_samples", num_samples)
        self.num_neighbours = checks.positive_int("num_neighbours", num_neighbours)
        self.seed = seed

    def picture(self):
        samples = np.asarray(self.model.sample(self.num_samples, seed=self.seed))
        rows = np.concatenate([samples[:, None], self.train[self.neighbours(samples)]], axis=1)
        return tile(self.unit(rows.reshape(-1, *samples.shape[1:])), columns=1 + self.num_neighbours)

    def neighbours(self, samples):
        """Indices `[m, k]` of the nearest training images of samples `[m, h, w, c]`, the nearest first."""
        flat = [tf.constant(rows.reshape(len(rows), -1)) for rows in (samples, self.train)]
        return tf.math.top_k(-squared_distances(*flat), self.num_neighbours).indices.numpy()


def plane(codes):
    """Codes `[n, k]` as points `[n, 2]`: themselves, with a zero, or their first two principal components."""
    codes = codes - codes.mean(0)
    if codes.shape[1] == 1:
        return np.concatenate([codes, np.zeros_like(codes)], axis=1)
    if codes.shape[1] == 2:
        return codes
    _, _, axes = np.linalg.svd(codes, full_matrices=False)
    return codes @ axes[:2].T
