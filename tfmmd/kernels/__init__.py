"""Kernels: two points -> a number.

Every kernel is called on two samples, `k(x, y)` with `x` `[n, d]` and `y` `[m, d]`, and gives the matrix
`[n, m]`. Kernels add, multiply and scale: `Gaussian(2.0) + 0.1 * Linear()`.
"""

from tfmmd.kernels.bandwidth import (
    Saturation,
    geometric_bandwidths,
    median_bandwidth,
    plot_bandwidths,
    saturation,
)
from tfmmd.kernels.base import Kernel, PairwiseKernel, Slopes, check_kernel, deserialize, serialize
from tfmmd.kernels.compose import OnFeatures, Product, Scaled, Sum, frozen_networks, standardized
from tfmmd.kernels.dot import DotKernel, Linear, Polynomial
from tfmmd.kernels.pairs import Pairs
from tfmmd.kernels.radial import (
    Energy,
    Gaussian,
    InverseMultiquadric,
    Laplacian,
    RadialKernel,
    RationalQuadratic,
)

__all__ = [
    "DotKernel",
    "Energy",
    "Gaussian",
    "InverseMultiquadric",
    "Kernel",
    "Laplacian",
    "Linear",
    "OnFeatures",
    "PairwiseKernel",
    "Pairs",
    "Polynomial",
    "Product",
    "RadialKernel",
    "RationalQuadratic",
    "Saturation",
    "Scaled",
    "Slopes",
    "Sum",
    "check_kernel",
    "deserialize",
    "frozen_networks",
    "geometric_bandwidths",
    "median_bandwidth",
    "plot_bandwidths",
    "saturation",
    "serialize",
    "standardized",
]
