"""The data of a run, loaded when first asked for."""

import dataclasses
import functools

from tfmmd import data


@dataclasses.dataclass(frozen=True)
class RunData:
    """A dataset as the settings of a run ask for it, in memory.

    Args:
        dataset: Name, as in `tfmmd.data.load`.
        settings: The run's `Settings`.
        seed: The run's seed.
    """

    dataset: str
    settings: object
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

    @property
    def sample_shape(self):
        """Shape of one sample, a tuple."""
        return tuple(self.train.shape[1:])

    def load(self, split, with_labels=False):
        """A split as arrays: `[n, ...]`, or (x, y) with labels."""
        s = self.settings
        options = {"image_size": s.image_size} if s.image_size else {}
        return data.arrays(
            self.dataset,
            split=split,
            value_range=tuple(s.value_range),
            binarize=s.binarize,
            with_labels=with_labels,
            **options,
        )
