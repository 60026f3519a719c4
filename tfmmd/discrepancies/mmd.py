"""The squared maximum mean discrepancy: four estimators behind one door.

MMD**2 = E k(X, X') + E k(Y, Y') - 2 E k(X, Y), with X' and Y' independent copies.
"""

import functools

import tensorflow as tf

from tfmmd import checks
from tfmmd.discrepancies import inputs, plain, tiled
from tfmmd.kernels import Energy
from tfmmd.kernels.pairs import safe_root

_LARGE_BLOCK = 512  # rows of a block above which blocks are computed one after the other


def mmd2(
    x,
    y,
    kernel,
    *,
    estimator="unbiased",
    block_size=None,
    tile_rows=None,
    method="auto",
    x_weights=None,
    y_weights=None,
):
    """Squared maximum mean discrepancy between two samples.

    With weights a row counts as so many rows: importance-weighted MMD, for samples of another distribution.

    Args:
        x: Tensor `[n, d]`.
        y: Tensor `[m, d]`; `n` and `m` may differ.
        kernel: A `tfmmd.kernels.Kernel`.
        estimator: `"unbiased"` (may be negative), `"biased"` (never is), `"linear"` (pairs of neighbours,
            linear time) or `"block"` (mean of the unbiased estimates of blocks). The last two use the first
            rows of the longer sample, as many as the shorter one has.
        block_size: Rows in a block of `"block"`; by default the root of the smaller sample size.
        tile_rows: Rows of the kernel matrix held at a time; by default chosen from the sizes.
        method: Of `"unbiased"` and `"biased"`: `"tiled"` (bounded memory, gradient in closed form), `"plain"`
            (whole matrices and automatic differentiation), or `"auto"`: tiled for every kernel of distance
            and inner product without variables of its own, also on features.
        x_weights: Optional non-negative weights `[n]` of `"unbiased"` and `"biased"`; their scale is free.
        y_weights: Optional non-negative weights `[m]`.

    Returns:
        Scalar `[]`, float32 (float64 for float64 samples).

    Raises:
        ValueError: On wrong ranks, features, sizes, weights or options, and on NaN or inf in eager samples.
        tf.errors.InvalidArgumentError: When a graph runs with too few rows, whose number was unknown before. XLA
            leaves this check out.

    Example:
        `mmd2(real, fake, kernels.Gaussian((1.0, 2.0, 4.0)))`

    Reference: [gretton2012], [zaremba2013]
    """
    x, y = inputs.as_checked_samples(x, y, kernel)
    checks.one_of("estimator", estimator, ("unbiased", "biased", "linear", "block"))
    checks.one_of("method", method, ("auto", "tiled", "plain"))
    _check_options(estimator, block_size, tile_rows, weighted=not (x_weights is None and y_weights is None))
    size = inputs.check_block_size(x, y, block_size) if estimator == "block" else 2
    if estimator != "biased":
        x, y = inputs.check_rows(x, y, estimator, 2 if block_size is None else size)
    if estimator == "linear":
        return _linear(x, y, kernel)
    if estimator == "block":
        return _block(x, y, kernel, size)
    a = inputs.as_checked_weights("x_weights", x_weights, x)
    b = inputs.as_checked_weights("y_weights", y_weights, y)
    return quadratic(x, y, kernel, (a, b), biased=estimator == "biased", method=method, tile_rows=tile_rows)


def mmd(x, y, kernel):
    """Maximum mean discrepancy: the root of the biased form, which is never negative.

    The root is that of max(MMD**2, 1e-12), so that its gradient stays finite at equal samples.

    Args:
        x: Tensor `[n, d]`.
        y: Tensor `[m, d]`.
        kernel: A `tfmmd.kernels.Kernel`.

    Returns:
        Scalar `[]`, float32 (float64 for float64 samples).
    """
    return safe_root(mmd2(x, y, kernel, estimator="biased"), 1e-12)


def energy_distance(x, y, *, estimator="unbiased"):
    """Energy distance 2 E||X - Y|| - E||X - X'|| - E||Y - Y'||, the squared MMD of `kernels.Energy`.

    Args:
        x: Tensor `[n, d]`.
        y: Tensor `[m, d]`.
        estimator: As in `mmd2`.

    Returns:
        Scalar `[]`, float32 (float64 for float64 samples).

    Reference: [szekely2013]
    """
    return mmd2(x, y, Energy(), estimator=estimator)


def quadratic(x, y, kernel, weights=(None, None), *, biased, method="auto", tile_rows=None):
    """MMD**2 `[]` of checked samples and weights; a row alone has no pairs in the unbiased form, their sum is 0."""
    options = {"biased": biased, "method": method, "tile_rows": tile_rows}
    terms = [_term(*term, x, y, weights, **options) for term in kernel.terms()]  # type: ignore[call-arg]
    return tf.add_n([tf.cast(term, x.dtype) for term in terms])


def _check_options(estimator, block_size, tile_rows, weighted):
    if tile_rows is not None:
        checks.positive_int("tile_rows", tile_rows)
    if block_size is not None and estimator != "block":
        checks.fail(
            "`block_size` belongs to `estimator='block'`.",
            f"estimator={estimator!r}, block_size={block_size!r}",
            "Leave one of them out.",
        )
    if weighted and estimator in ("linear", "block"):
        checks.fail(
            "Weights belong to `estimator='unbiased'` and `'biased'`.",
            f"estimator={estimator!r} with weights",
            "Leave the weights out or change the estimator.",
        )


def _term(factor, features, kernel, x, y, weights, *, biased, method, tile_rows):
    """MMD**2 of one term of a kernel: a factor times a kernel on features, which may be None."""
    x, y = _featured(features, x, y)
    closed = kernel.pairwise and not kernel.has_variables()
    if method == "plain" or (method == "auto" and not closed):
        return factor * plain.quadratic_form(x, y, kernel, weights, biased=biased)
    if not closed:
        checks.fail(
            "`method='tiled'` needs a kernel of distance and inner product without variables.",
            f"kernel={kernel!r}",
            "Use method='auto'.",
        )
    return factor * tiled.quadratic_form(x, y, kernel, weights, biased=biased, tile_rows=tile_rows)


def _linear(x, y, kernel):
    """Mean of k(x1, x2) + k(y1, y2) - k(x1, y2) - k(x2, y1) over pairs of neighbours."""
    rows = tf.minimum(tf.shape(x)[0], tf.shape(y)[0]) // 2 * 2
    x1, x2, y1, y2 = x[:rows:2], x[1:rows:2], y[:rows:2], y[1:rows:2]
    within = kernel.matching(x1, x2) + kernel.matching(y1, y2)
    h = within - kernel.matching(x1, y2) - kernel.matching(x2, y1)
    return tf.cast(tf.reduce_mean(tf.cast(h, tf.float64)), x.dtype)


def _block(x, y, kernel, size):
    """Mean over blocks of the unbiased MMD**2 of each."""
    blocks = tf.minimum(tf.shape(x)[0], tf.shape(y)[0]) // size
    values = [
        factor * _block_values(*_featured(features, x, y), part, blocks, size)  # type: ignore[call-arg]
        for factor, features, part in kernel.terms()
    ]
    return tf.cast(tf.reduce_mean(tf.cast(tf.add_n(values), tf.float64)), x.dtype)


def _block_values(x, y, kernel, blocks, size):
    """The unbiased MMD**2 of each block `[blocks]`: all at once, or one after the other where blocks are large."""
    pair = [tf.reshape(s[: blocks * size], [blocks, size, tf.shape(s)[1]]) for s in (x, y)]
    if kernel.pairwise and (tf.is_tensor(size) or size <= _LARGE_BLOCK):
        x, y = pair
        return plain.quadratic_form(x, y, kernel, (None, None), biased=False)
    one = functools.partial(
        _term, 1.0, None, kernel, weights=(None, None), biased=False, method="auto", tile_rows=None
    )
    return tf.map_fn(lambda both: one(*both), tuple(pair), fn_output_signature=x.dtype, parallel_iterations=1)


def _featured(features, x, y):
    """Both samples, or their features."""
    return (x, y) if features is None else (features(x), features(y))
