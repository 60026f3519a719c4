"""Generative models that learn by comparing samples, for Keras 3 and TensorFlow.

| system | class | recipe | paper |
| --- | --- | --- | --- |
| generative moment matching network | `models.GMMN` | `gmmn` | Li, Swersky, Zemel 2015 |

`kernels` compare two points, `discrepancies` two samples; `metrics` score samples; `data` loads them;
`callbacks` watch a run. `python -m trainers` runs recipes, `python -m export` serves the results.
"""

from tfmmd import (
    checks,
    data,
    discrepancies,
    distribute,
    kernels,
    layers,
    metrics,
    models,
    networks,
    priors,
    seeds,
)
from tfmmd.version import __version__

__all__ = [
    "checks",
    "data",
    "discrepancies",
    "distribute",
    "kernels",
    "layers",
    "metrics",
    "models",
    "networks",
    "priors",
    "seeds",
    "__version__",
]
