"""Slow NumPy twins of the generative auto-encoder's mathematics, loop by loop, in float64."""

import numpy as np


def logsumexp(values):
    """log(sum(exp(values))) of a sequence."""
    values = np.asarray(values, np.float64)
    top = values.max()
    return top + np.log(np.sum(np.exp(values - top)))


def log_normal(z, mean, scale):
    """log N(z; mean, diag(scale**2)) of one code `[k]`."""
    return float(np.sum(-0.5 * ((z - mean) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)))


def log_mixture(z, means, scales):
    """log of the mean over components of their density at one code."""
    return logsumexp([log_normal(z, m, s) for m, s in zip(means, scales)]) - np.log(len(means))


def log_bernoulli(x, logits):
    """log P(x|z) of one row `[d]`."""
    return float(np.sum(x * logits - np.logaddexp(0.0, logits)))


def log_gaussian(x, mean, scale):
    """log N(x; mean, scale**2 I) of one row `[d]`."""
    return log_normal(x, mean, np.full_like(np.asarray(mean, np.float64), scale))


def path_weights(fits, num_draws, num_components):
    """Log weights `[b, b * s]` of log likelihoods `fits` `[b, b * s]`."""
    b = len(fits)
    weights = np.empty_like(fits)
    for i in range(b):
        for j in range(b):
            factor = 1 / num_components if i == j else (1 - 1 / num_components) / (b - 1)
            for s in range(num_draws):
                column = j * num_draws + s
                weights[i, column] = fits[i, column] + np.log(factor / num_draws)
    return weights


def aggregate_weights(fits, codes, means, scales, num_components, leave_one_out=False):
    """Log weights `[b, s]` of own log likelihoods `fits` `[b, s]` and codes `[b, s, k]`."""
    b, num_draws = fits.shape
    weights = np.empty_like(fits)
    for i in range(b):
        for s in range(num_draws):
            terms = []
            for j in range(b):
                own = 0.0 if leave_one_out else 1 / num_components
                others = 1.0 if leave_one_out else 1 - 1 / num_components
                factor = own if i == j else others / (b - 1)
                if factor:
                    terms.append(np.log(factor) + log_normal(codes[i, s], means[j], scales[j]))
            own_density = log_normal(codes[i, s], means[i], scales[i])
            weights[i, s] = fits[i, s] + logsumexp(terms) - own_density - np.log(num_draws)
    return weights


def regularizer(means, log_variances, lambda1, lambda2):
    """`[b]`, to be maximised."""
    values = []
    for m, v in zip(means, log_variances):
        values.append(sum(-lambda1 * a**2 + lambda2 * (1 + b - np.exp(b)) for a, b in zip(m, v)))
    return np.array(values)


def quadrature(log_joint, means, scales, num_points=2001, reach=9.0):
    """log of the mean over components of the integral of exp(log_joint(z)) N(z; mean, scale), one latent."""
    values = []
    for mean, scale in zip(means, scales):
        grid = np.linspace(mean - reach * scale, mean + reach * scale, num_points)
        step = grid[1] - grid[0]
        densities = [log_joint(z) + log_normal(np.array([z]), mean, scale) for z in grid]
        values.append(logsumexp(densities) + np.log(step))
    return logsumexp(values) - np.log(len(means))
