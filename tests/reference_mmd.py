"""Slow float64 twins of the kernels and of MMD**2, from the formulas alone.

Derivatives are complex steps: the imaginary part of f(x + i h) / h is exact to rounding for h = 1e-30.
"""

import math

import numpy as np

from tfmmd import kernels

STEP = 1e-30


def kernel(k, x, y):
    """k(x, y) of broadcast points `[..., d]`, real or complex."""
    if isinstance(k, kernels.Sum):
        return sum(kernel(part, x, y) for part in k.kernels)
    if isinstance(k, kernels.Product):
        return math.prod(kernel(part, x, y) for part in k.kernels)
    if isinstance(k, kernels.Scaled):
        return k.factor * kernel(k.kernel, x, y)
    d = x.shape[-1]
    r = sum((x[..., i] - y[..., i]) ** 2 for i in range(d))
    p = sum(x[..., i] * y[..., i] for i in range(d))
    return _FORMULAS[type(k)](k, r, p, d)


_FORMULAS = {
    kernels.Gaussian: lambda k, r, p, d: sum(np.exp(-r / (2 * s * s)) for s in k.bandwidths),
    kernels.Laplacian: lambda k, r, p, d: sum(np.exp(-np.sqrt(r) / s) for s in k.bandwidths),
    kernels.RationalQuadratic: lambda k, r, p, d: sum((1 + r / (2 * a)) ** -a for a in k.alphas),
    kernels.InverseMultiquadric: lambda k, r, p, d: sum(c / (c + r) for c in k.scales),
    kernels.Energy: lambda k, r, p, d: -np.sqrt(r),
    kernels.Linear: lambda k, r, p, d: p,
    kernels.Polynomial: lambda k, r, p, d: (
        ((1 / d if k.gamma is None else k.gamma) * p + k.coef0) ** k.degree
    ),
}


def matrix(k, x, y):
    """The kernel matrix `[n, m]`, double loop over rows."""
    return np.array([[kernel(k, a, b) for b in y] for a in x])


def mmd2(k, x, y, *, biased=False, a=None, b=None):
    """MMD**2 of samples `[n, d]`, `[m, d]` with weights, row by row."""
    a, b = (np.ones(len(s)) if w is None else w for s, w in ((x, a), (y, b)))
    xx, yy = _within(k, x, a, biased), _within(k, y, b, biased)
    xy = sum(a[i] * b @ kernel(k, x[i], y) for i in range(len(x))) / (a.sum() * b.sum())
    return xx + yy - 2 * xy


def gradient(k, x, y, *, biased=False, a=None, b=None):
    """d MMD**2 / dx `[n, d]` by complex steps."""
    a, b = (np.ones(len(s)) if w is None else w for s, w in ((x, a), (y, b)))
    result = np.zeros_like(x)
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        for j in range(x.shape[1]):
            moved = x[i].astype(complex)
            moved[j] += 1j * STEP
            within = 2 * a[i] * (a[others] @ kernel(k, moved, x[others]))
            if biased and not isinstance(k, (kernels.RadialKernel, kernels.Scaled)):
                within += a[i] ** 2 * kernel(k, moved, moved)
            across = a[i] * (b @ kernel(k, moved, y)) / (a.sum() * b.sum())
            result[i, j] = (within / _mass(a, biased) - 2 * across).imag / STEP
    return result


def linear(k, x, y):
    """The linear-time estimate: mean of h over pairs of neighbours."""
    half = min(len(x), len(y)) // 2
    h = [
        kernel(k, x[2 * i], x[2 * i + 1])
        + kernel(k, y[2 * i], y[2 * i + 1])
        - kernel(k, x[2 * i], y[2 * i + 1])
        - kernel(k, x[2 * i + 1], y[2 * i])
        for i in range(half)
    ]
    return np.mean(h)


def block(k, x, y, size):
    """The block estimate: mean of the unbiased estimates of blocks."""
    starts = range(0, min(len(x), len(y)) // size * size, size)
    return np.mean([mmd2(k, x[i : i + size], y[i : i + size]) for i in starts])


def variance(k, x, y):
    """Variance of the unbiased MMD**2 for n = m, the expanded formula of Sutherland et al. 2017."""
    m = len(x)
    xx, yy, xy = matrix(k, x, x), matrix(k, y, y), matrix(k, x, y)
    np.fill_diagonal(xx, 0), np.fill_diagonal(yy, 0)
    r, t, c1, c0 = xx.sum(1), yy.sum(1), xy.sum(1), xy.sum(0)
    squares = {"xx": (xx**2).sum(), "yy": (yy**2).sum(), "xy": (xy**2).sum()}
    total = xx.sum(), yy.sum(), xy.sum()
    return (
        2 / (m**2 * (m - 1) ** 2) * (2 * r @ r - squares["xx"] + 2 * t @ t - squares["yy"])
        - (4 * m - 6) / (m**3 * (m - 1) ** 3) * (total[0] ** 2 + total[1] ** 2)
        + 4 * (m - 2) / (m**3 * (m - 1) ** 2) * (c1 @ c1 + c0 @ c0)
        - 4 * (m - 3) / (m**3 * (m - 1) ** 2) * squares["xy"]
        - (8 * m - 12) / (m**5 * (m - 1)) * total[2] ** 2
        + 8 / (m**3 * (m - 1)) * ((total[0] + total[1]) * total[2] / m - r @ c1 - t @ c0)
    )


def _within(k, x, w, biased):
    total = 0.0
    for i in range(len(x)):
        row = w[i] * w * kernel(k, x[i], x)
        total += row.sum() - (0 if biased else row[i])
    return total / _mass(w, biased)


def _mass(w, biased):
    return w.sum() ** 2 - (0 if biased else (w**2).sum())
