"""Samples as a file: a grid of images, or the array itself."""

from pathlib import Path

import numpy as np

from tfmmd import checks
from tfmmd.callbacks.watch import tile, write_png

SUFFIXES = (".png", ".npy", ".csv")


def check_path(path):
    """Checks the ending and the folder of a file to write, before a server is asked."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        checks.fail("--out ends in .png, .npy or .csv.", str(path), "Use one of them.")
    if not path.parent.is_dir():
        checks.fail("The folder of --out must exist.", str(path), f"Make {path.parent} first.")


def write(path, samples):
    """Writes samples `[n, ...]`: `.npy` as they are, `.csv` a row a line, `.png` as a grid of images.

    Args:
        path: File to write.
        samples: Images `[n, h, w]` or `[n, h, w, c]` in [0, 1], or in [-1, 1] where one is negative.

    Raises:
        ValueError: If samples that are not images should become a picture.
    """
    if Path(path).suffix == ".npy":
        np.save(path, samples)
        return
    if Path(path).suffix == ".csv":
        np.savetxt(path, np.reshape(samples, [len(samples), -1]), "%.7g", ",")
        return
    images = samples[..., None] if samples.ndim == 3 else samples
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        checks.fail(
            "A picture needs images, [n, h, w, 1 or 3].",
            f"shape={samples.shape}",
            "Use --out x.npy or x.csv.",
        )
    signed = images.min() < 0
    write_png(path, tile((images + 1) / 2 if signed else images), scale=max(1, 64 // images.shape[1]))
