"""Slow NumPy twins of Improved GAN's layers, objectives and penalties, float64 loops written from the paper."""

import math

import numpy as np


def normalized_kernel(kernel, log_scale):
    """T of minibatch discrimination: each column `[:, k, c]` a direction times exp(log_scale)."""
    out = np.zeros(kernel.shape)
    for k in range(kernel.shape[1]):
        for c in range(kernel.shape[2]):
            column = kernel[:, k, c].astype(np.float64)
            out[:, k, c] = column / math.sqrt(column @ column) * math.exp(log_scale[k, c])
    return out


def closeness(x, tensor, include_self=False):
    """o(x_i)_k = sum over j of exp(-||M_ik - M_jk||_1), `[b, num_kernels]`."""
    rows, kernels, size = len(x), tensor.shape[1], tensor.shape[2]
    projection = np.zeros((rows, kernels, size))
    for i in range(rows):
        for k in range(kernels):
            for c in range(size):
                projection[i, k, c] = x[i].astype(np.float64) @ tensor[:, k, c]
    out = np.zeros((rows, kernels))
    for i in range(rows):
        for j in range(rows):
            if i == j and not include_self:
                continue
            for k in range(kernels):
                out[i, k] += math.exp(
                    -sum(abs(projection[i, k, c] - projection[j, k, c]) for c in range(size))
                )
    return out


def virtual_batch_norm(x, reference, scale, offset, epsilon):
    """Every example by itself: its own mean and mean square have weight 1 / (n + 1) beside the reference's."""
    n, channels = len(reference), x.shape[-1]
    ref = reference.reshape(-1, channels).astype(np.float64)
    mean_ref, square_ref = ref.mean(0), (ref**2).mean(0)
    out = np.zeros(x.shape)
    for i, example in enumerate(x.astype(np.float64)):
        own = example.reshape(-1, channels)
        w = 1.0 / (n + 1)
        mean = w * own.mean(0) + (1 - w) * mean_ref
        square = w * (own**2).mean(0) + (1 - w) * square_ref
        out[i] = scale * (example - mean) / np.sqrt(square - mean**2 + epsilon) + offset
    return out


def weight_norm_dense(x, kernel, scale, bias):
    """x W with every column of W brought to length `scale`."""
    out = np.zeros((len(x), kernel.shape[1]))
    for k in range(kernel.shape[1]):
        column = kernel[:, k].astype(np.float64)
        out[:, k] = x @ (scale[k] * column / math.sqrt(column @ column)) + bias[k]
    return out


def historical_averaging(history, weight=1.0):
    """The penalty and its gradient at the last point of a history of parameter vectors."""
    mean = np.mean(np.asarray(history, np.float64), axis=0)
    difference = history[-1] - mean
    return weight * float(difference @ difference), 2.0 * weight * difference


def bias_corrected_average(values, decay):
    """An exponential average from zero, divided by the total of its weights."""
    average, total = 0.0, 0.0
    for value in values:
        average, total = decay * average + (1 - decay) * value, decay * total + (1 - decay)
    return average / total


def probabilities_with_fake(logits):
    """The explicit softmax over [logits, 0]: K classes, then "fake"."""
    full = np.concatenate([np.asarray(logits, np.float64), [0.0]])
    weights = np.exp(full - full.max())
    return weights / weights.sum()


def labelled_cost(logits, labels):
    """Mean of -log p(y | x, real) under the K + 1 softmax."""
    costs = []
    for row, label in zip(logits, labels):
        p = probabilities_with_fake(row)
        costs.append(-math.log(p[label] / p[:-1].sum()))
    return float(np.mean(costs))


def unlabelled_cost(real, fake, real_weight=0.5, fake_weight=0.5):
    """Weighted means of -log p(not fake) over real and -log p(fake) over generated rows."""
    of_real = [-math.log(probabilities_with_fake(row)[:-1].sum()) for row in real]
    of_fake = [-math.log(probabilities_with_fake(row)[-1]) for row in fake]
    return real_weight * float(np.mean(of_real)) + fake_weight * float(np.mean(of_fake))


def feature_matching(real, fake, norm):
    """Mean over features of the squared or absolute difference of the two means."""
    total = 0.0
    for d in range(real.shape[1]):
        difference = sum(row[d] for row in real) / len(real) - sum(row[d] for row in fake) / len(fake)
        total += difference**2 if norm == "l2" else abs(difference)
    return total / real.shape[1]


def root_adam(start, gradients, learning_rate, beta_1, beta_2, epsilon):
    """The released code's Adam: v_hat / sqrt(m_hat + epsilon)."""
    x, mean, square = np.array(start, np.float64), 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        x = x - learning_rate * (mean / (1 - beta_1**t)) / np.sqrt(square / (1 - beta_2**t) + epsilon)
    return x
