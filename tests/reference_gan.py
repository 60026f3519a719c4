"""Slow NumPy twins of the adversarial formulas, float64 loops written from the papers."""

import math

import numpy as np


def gaussian(bandwidths):
    return lambda a, b: sum(math.exp(-((a - b) @ (a - b)) / (2 * s * s)) for s in bandwidths)


def rational_quadratic(alphas):
    return lambda a, b: sum((1 + (a - b) @ (a - b) / (2 * alpha)) ** -alpha for alpha in alphas)


def linear(a, b):
    return float(a @ b)


def distance(a, b):
    """The distance-induced kernel with z0 = 0 and without the factor 1/2."""
    return np.linalg.norm(a) + np.linalg.norm(b) - np.linalg.norm(a - b)


def plus(first, second):
    return lambda a, b: first(a, b) + second(a, b)


def mmd2(x, y, kernel, diagonal="exact"):
    """The U-statistic; "constant" subtracts k(0, 0) for each pair of a row with itself."""

    def within(s):
        total = 0.0
        for i in range(len(s)):
            for j in range(len(s)):
                total += kernel(s[i], s[j]) if i != j or diagonal == "constant" else 0.0
        if diagonal == "constant":
            total -= len(s) * kernel(0 * s[0], 0 * s[0])
        return total / (len(s) * (len(s) - 1))

    cross = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    return within(x) + within(y) - 2 * cross


def norm(a, epsilon=1e-5):
    return math.sqrt(sum(v * v for v in a) + epsilon)


def cramer(real, fake, other, variant="paper"):
    """(critic cost, generator cost) of the Cramer GAN."""

    def f(a, b):
        return norm(a - b) - norm(a)

    rows = list(zip(real, fake, other))
    if variant == "reddit":
        generator = np.mean([f(r, g) - f(g, h) for r, g, h in rows])
        return -generator, generator
    critic = -np.mean([f(r, g) - f(h, g) for r, g, h in rows])
    return critic, np.mean([norm(r - g) + norm(r - h) - norm(g - h) for r, g, h in rows])


def witness(at, real, fake, kernel):
    """Mean kernel to the real rows minus mean kernel to the fake rows."""
    return np.mean([kernel(at, r) for r in real]) - np.mean([kernel(at, f) for f in fake])


def gradient_penalty(function, real, fake, shares, axes=None, epsilon=1e-5, step=1e-5):
    """mean((||grad f(p)|| - 1)**2) with gradients by central differences.

    Args:
        function: Function of one row `[...]` -> a number.
        real: Rows `[b, ...]`.
        fake: Rows `[b, ...]`.
        shares: Place of each point between its real and fake row, `[b]`.
        axes: Axes of `[b, ...]` summed over in a norm; None is all but the first.
    """
    points = real + shares.reshape(-1, *[1] * (real.ndim - 1)) * (fake - real)
    slopes = np.zeros_like(points)
    for i, point in enumerate(points):
        for where in np.ndindex(point.shape):
            bump = np.zeros_like(point)
            bump[where] = step
            slopes[(i, *where)] = (function(point + bump) - function(point - bump)) / (2 * step)
    axes = axes or tuple(range(1, points.ndim))
    return np.mean((np.sqrt((slopes**2).sum(axes) + epsilon) - 1) ** 2)
