"""Slow NumPy twins of the measures: loops and textbook formulas in float64."""

import math

import numpy as np
from scipy import linalg


def log_sum_exp(values):
    """log(sum(exp(values))) of a 1-D array."""
    top = np.max(values)
    return top + math.log(np.sum(np.exp(values - top)))


def kernel_density(samples, points, bandwidth):
    """Log-density of each point, one at a time."""
    samples, points = np.float64(samples), np.float64(points)
    n, d = samples.shape
    constant = math.log(n) + d * math.log(bandwidth * math.sqrt(2 * math.pi))
    squares = [((samples - x) ** 2).sum(axis=1) for x in points]
    return np.array([log_sum_exp(-r / (2 * bandwidth**2)) - constant for r in squares])


def polynomial_kernel(a, b):
    """The kernel of the KID."""
    return (np.dot(a, b) / len(a) + 1) ** 3


def kid(x, y):
    """Unbiased squared MMD by double loops."""
    n, m = len(x), len(y)
    xx = sum(polynomial_kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    yy = sum(polynomial_kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    xy = sum(polynomial_kernel(a, b) for a in x for b in y)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def spectral_ratio(x):
    """sum(l**3) / sum(l**2) of the centred kernel by loops over pairs and triples of distinct rows."""
    n = len(x)
    k = np.array([[polynomial_kernel(a, b) for b in x] for a in x])
    np.fill_diagonal(k, 0)
    rows = k.sum(axis=1) / (n - 1)
    k = np.array([[k[i, j] - rows[i] - rows[j] + rows.mean() for j in range(n)] for i in range(n)])
    squares = [k[i, j] ** 2 for i in range(n) for j in range(n) if i != j]
    triples = [(i, j, h) for i in range(n) for j in range(n) for h in range(n) if len({i, j, h}) == 3]
    return max(np.mean([k[i, j] * k[j, h] * k[h, i] for i, j, h in triples]), 0) / np.mean(squares)


def expected_polynomial_kernel(mean_1, mean_2):
    """E (a . b / d + 1)**3 of independent a ~ N(mean_1, I), b ~ N(mean_2, I)."""
    d = len(mean_1)
    dot, a, b = mean_1 @ mean_2, mean_1 @ mean_1, mean_2 @ mean_2
    first = dot / d
    second = (dot**2 + a + b + d) / d**2
    third = (dot**3 + 3 * dot * b + 3 * dot * (a + d + 2)) / d**3
    return third + 3 * second + 3 * first + 1


def gaussian_kid(mean_1, mean_2):
    """The exact squared MMD between N(mean_1, I) and N(mean_2, I)."""
    own = expected_polynomial_kernel(mean_1, mean_1) + expected_polynomial_kernel(mean_2, mean_2)
    return own - 2 * expected_polynomial_kernel(mean_1, mean_2)


def fid(x, y):
    """The textbook formula with `scipy.linalg.sqrtm`."""
    mean = x.mean(axis=0) - y.mean(axis=0)
    c1, c2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    return mean @ mean + np.trace(c1 + c2 - 2 * np.real(linalg.sqrtm(c1 @ c2)))


def inception_score(probabilities):
    """exp(mean_i KL(p_i || q)) of one split, term by term."""
    q = probabilities.mean(axis=0)
    total = 0.0
    for p in probabilities:
        total += sum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)
    return math.exp(total / len(probabilities))


def share_on_manifold(points, centres, k):
    """Share of `points` within the k-nearest-neighbour ball of some centre."""
    radii = [np.sort([np.sum((a - b) ** 2) for b in centres])[k] for a in centres]
    inside = [any(np.sum((x - c) ** 2) <= r for c, r in zip(centres, radii)) for x in points]
    return np.mean(inside)


def laplace_variance(image):
    """Variance of the response of a 3 x 3 Laplace filter on a grey image `[h, w]`."""
    h, w = image.shape
    response = [
        image[i - 1, j] + image[i + 1, j] + image[i, j - 1] + image[i, j + 1] - 4 * image[i, j]
        for i in range(1, h - 1)
        for j in range(1, w - 1)
    ]
    return np.var(response)
