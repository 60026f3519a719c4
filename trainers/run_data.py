"""The data of a run, loaded when first asked for."""

import dataclasses
import functools

import numpy as np

from tfmmd import data
from trainers.recipe import Settings


@dataclasses.dataclass(frozen=True)
class RunData:
    """A dataset as the settings of a run ask for it, in memory.

    Args:
        dataset: Name, as in `tfmmd.data.load`.
        settings: The run's `Settings`.
        seed: The run's seed.
    """

    dataset: str
    settings: Settings
    seed: int

    @functools.cached_property
    def train(self):
        """Training samples `[n, ...]`."""
        return self.load(self.settings.split)

    @functools.cached_property
    def validation(self):
        """Held-out samples `[n, ...]` for choosing a bandwidth."""
        return self.load("validation")

    @functools.cached_property
    def test(self):
        """Test samples `[n, ...]`."""
        return self.load("test")

    @functools.cached_property
    def units(self):
        """Centre and scale of `unit`: two numbers for images and points, two arrays `[d]` for tables."""
        if data.kind(self.dataset) == "table":
            spread = self.train.std(axis=0, dtype=np.float64)
            return self.train.mean(axis=0, dtype=np.float64), np.where(spread > 0, spread, 1.0)
        low, high = self.settings.value_range
        return low, high - low

    def unit(self, samples):
        """Samples `[n, ...]` in the units that scores are measured in, as a NumPy array.

        Images in [0, 1]; columns of tables in standard deviations of the training rows.
        """
        centre, scale = self.units
        return ((np.asarray(samples) - centre) / scale).astype(np.float32)

    @property
    def sample_shape(self):
        """Shape of one sample, a tuple."""
        return tuple(self.train.shape[1:])

    @property
    def unit_name(self):
        """What a sample is called, in the plural."""
        return "images" if len(self.sample_shape) == 3 else "rows"

    def load(self, split, with_labels=False):
        """A split as arrays: `[n, ...]`, or (x, y) with labels."""
        s = self.settings
        options = {"image_size": s.image_size} if s.image_size else {}
        return data.arrays(
            self.dataset,
            split=split,
            value_range=s.value_range,
            binarize=s.binarize,
            with_labels=with_labels,
            **options,
        )
