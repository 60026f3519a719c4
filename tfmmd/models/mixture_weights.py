"""The E-step of the generative auto-encoder: how much each drawn code explains each row of a batch.

A batch holds `b` rows, a uniform sample without replacement of the `n` training rows; `s` codes
z_js ~ P(z|x_j) are drawn from each, `m = b * s` in all, in the order j * s + draw.

Every function here returns two matrices, rows i of data by columns of codes:

* log weights A, with exp(logsumexp(A)) an estimate of P(x_i) (or a lower bound of it);
* the log of the complete-data density P(x_i, z), up to terms without gradient, for the score estimator.
"""

import dataclasses
import math

import tensorflow as tf

from tfmmd import distribute, priors
from tfmmd.models.likelihoods import log_normal


@dataclasses.dataclass(frozen=True)
class Batch:
    """Data, kernels, codes and the decoder's outputs of one step.

    Args:
        x: Data `[b, d]`, float32.
        means: Means of P(z|x_i), `[b, k]`.
        log_variances: Log variances of P(z|x_i), `[b, k]`.
        codes: Drawn codes `[b, s, k]`.
        outputs: The decoder's outputs `[b, s, d]`.
    """

    x: tf.Tensor
    means: tf.Tensor
    log_variances: tf.Tensor
    codes: tf.Tensor
    outputs: tf.Tensor

    def gather(self):
        """The global batch."""
        values = [getattr(self, field.name) for field in dataclasses.fields(self)]
        # gathering forgets the sizes of the other axes
        return Batch(*(tf.ensure_shape(distribute.gather(v), [None, *v.shape[1:]]) for v in values))

    @property
    def num_draws(self):
        """Codes per row, `s`."""
        return self.codes.shape[1]

    def flat(self, values):
        """`[b, s, ...]` -> `[b * s, ...]`."""
        return tf.reshape(values, [-1, values.shape[-1]])

    def log_own_kernel(self):
        """log P(z_is|x_i), `[b, s]`."""
        return log_normal(self.codes, self.means[:, None], self.log_variances[:, None])


def self_bound(batch, likelihood, num_components):
    """Only the row's own kernel explains it: a lower bound, `[b, s]`.

    A_is = log P(x_i|z_is) - log n - log s
    """
    fits = likelihood.paired(batch.x, batch.outputs)
    return fits - math.log(num_components * batch.num_draws), fits + batch.log_own_kernel()


def path(batch, likelihood, num_components):
    """All kernels of the batch explain all its rows, `[b, m]`; unbiased for P(x_i).

    A_ijs = log P(x_i|z_js) + correction_ij - log s
    """
    fits = likelihood.matrix(batch.x, batch.flat(batch.outputs))
    weights = correction(tf.shape(batch.x)[0], num_components)
    log_weights = fits + tf.repeat(weights, batch.num_draws, axis=1) - math.log(batch.num_draws)
    return log_weights, fits + tf.reshape(batch.log_own_kernel(), [1, -1])


def aggregate(batch, likelihood, num_components, *, leave_one_out=False):
    """The sum over kernels is exact given a code: the row's own codes, weighted by the mixture, `[b, s]`.

    A_is = log P(x_i|z_is) + log P(z_is) - log P(z_is|x_i) - log s,   P(z) estimated from the batch's kernels
    """
    weights = correction(tf.shape(batch.x)[0], num_components, leave_one_out=leave_one_out)
    scales = tf.exp(0.5 * batch.log_variances)
    kernels = priors.log_kernels(batch.flat(batch.codes), batch.means, scales)
    of_rows = tf.cast(tf.repeat(weights, batch.num_draws, axis=0), tf.float64)
    log_prior = tf.reshape(
        tf.cast(tf.reduce_logsumexp(kernels + of_rows, axis=1), tf.float32), [-1, batch.num_draws]
    )
    joint = likelihood.paired(batch.x, batch.outputs) + log_prior
    return joint - batch.log_own_kernel() - math.log(batch.num_draws), joint


def correction(num_rows, num_components, *, leave_one_out=False):
    """log((1 / n) / q(j|i)): what makes a sum over the batch's kernels unbiased for the mixture, `[b, b]`.

    Row i's own kernel is always in its batch and counts 1 / n; the other b - 1 are a uniform sample of the
    n - 1 rest and count (n - 1) / n / (b - 1) each. Equal weights 1 / b would be too high by up to
    log(n / b).

    Args:
        num_rows: Rows of the batch `b`, an int32 scalar.
        num_components: Training rows, `n`.
        leave_one_out: Leave out the own kernel; the others count 1 / (b - 1).
    """
    rest = tf.cast(tf.maximum(num_rows - 1, 1), tf.float32)
    share = 1.0 if leave_one_out else (num_components - 1) / num_components
    own = 0.0 if leave_one_out else 1 / num_components
    return tf.math.log(tf.where(tf.eye(num_rows, dtype=tf.bool), own, share / rest))


def posterior(log_weights):
    """Responsibilities of the codes, rows of `[b, m]` that sum to 1."""
    return tf.nn.softmax(log_weights, axis=1)


def pathwise(log_weights, complete):
    """logsumexp of the log weights, `[b]`, with its own gradient."""
    return tf.reduce_logsumexp(log_weights, axis=1)


def score(log_weights, complete):
    """The same value with the gradient of generalised EM, `[b]`: weights stopped, complete density moved.

    gradient = sum_m posterior_im * gradient(log P(x_i, z_m))
    """
    expected = tf.reduce_sum(tf.stop_gradient(posterior(log_weights)) * complete, axis=1)
    return tf.stop_gradient(tf.reduce_logsumexp(log_weights, axis=1) - expected) + expected


OBJECTIVES = {"self": self_bound, "path": path, "aggregate": aggregate}
ESTIMATORS = {"pathwise": pathwise, "score": score}
