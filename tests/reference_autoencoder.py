"""Slow NumPy twins of the auto-encoders' costs: loops over pairs and rows, in float64."""

import numpy as np


def cross_entropy(x, y):
    """-sum(x log y + (1 - x) log(1 - y)) of each row."""
    x, y = (a.reshape(len(a), -1).astype(np.float64) for a in (x, y))
    return np.array([-np.sum(p * np.log(q) + (1 - p) * np.log(1 - q)) for p, q in zip(x, y)])


def imq_penalty(codes, prior, base):
    """The penalty of WAE-MMD as its official code writes it: seven scales, pairs i != j within a sample."""
    n, total = len(codes), 0.0
    for scale in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0):
        c = base * scale
        for i in range(n):
            for j in range(n):
                if i != j:
                    total += _imq(codes[i], codes[j], c) / (n * (n - 1))
                    total += _imq(prior[i], prior[j], c) / (n * (n - 1))
                total -= 2 * _imq(codes[i], prior[j], c) / n**2
    return total


def _imq(a, b, c):
    return c / (c + np.sum((a.astype(np.float64) - b) ** 2))


def gaussian_kl(mean, log_variance, scale):
    """KL(N(mean, exp(log_variance)) || N(0, scale**2)) summed over entries, row by row."""
    rows = []
    for m, v in zip(mean.astype(np.float64), np.exp(log_variance.astype(np.float64))):
        rows.append(np.sum(np.log(scale) - 0.5 * np.log(v) + (v + m**2) / (2 * scale**2) - 0.5))
    return np.array(rows)
