"""The density of a latent law in the plane, beside the codes that `LatentMap` shows."""

import numpy as np

from tfmmd import checks
from tfmmd.callbacks.pictures import Picture

STEPS = np.array(  # from low to high density: white, yellow, orange, red, violet, black
    [(255, 255, 255), (254, 227, 145), (253, 141, 60), (227, 26, 28), (106, 28, 113), (0, 0, 0)], np.float64
)
MARGIN = 0.1  # of the range of the codes, on each side


class LatentDensity(Picture):
    """The density of the model's prior over the range of its codes, darker where it is higher.

    For two-entry codes: the mixture of the training codes for a GAE, the fixed law for others.

    Args:
        x: Data `[n, ...]` whose codes set the range.
        size: Side of the picture in pixels.
        **kwargs: As in `Picture`.
    """

    title = "latent_density"

    def __init__(self, x, size=128, **kwargs):
        super().__init__(**kwargs)
        self.x, self.size = np.asarray(x), checks.positive_int("size", size)

    def set_model(self, model):
        if model.latent_size != 2:
            checks.fail(
                "A density in the plane needs codes of two entries.",
                f"latent_size={model.latent_size}",
                "Build the model with latent_size=2, or use LatentMap.",
            )
        super().set_model(model)

    def picture(self):
        density = np.exp(self.log_density()).reshape(self.size, self.size)
        return shade(density[::-1])

    def log_density(self):
        """log P(z), less its maximum, on a grid `[size * size]`: rows of equal second entry, from low to high."""
        codes = np.asarray(self.model.encode(self.x))
        low, high = codes.min(0), codes.max(0)
        margin = MARGIN * np.maximum(high - low, 1e-6)
        axes = [np.linspace(a, b, self.size, dtype=np.float32) for a, b in zip(low - margin, high + margin)]
        grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
        values = np.asarray(self.model.prior.log_prob(grid), np.float64)
        return values - values.max()


def shade(values):
    """Values `[h, w]` in [0, 1] as a uint8 picture `[h, w, 3]`, by the root of the value from white to black."""
    place = np.sqrt(np.clip(values, 0.0, 1.0)) * (len(STEPS) - 1)
    channels = [np.interp(place, np.arange(len(STEPS)), channel) for channel in STEPS.T]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)
