"""Bad input is refused before anything is computed, in three sentences."""

import numpy as np
import pytest

from tests import harness
from tfmmd import discrepancies, kernels

X, Y = harness.samples(10, 8)
K = kernels.Gaussian()


def with_nan():
    """A sample with one NaN."""
    bad = X.copy()
    bad[3, 1] = np.nan
    return bad


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: discrepancies.mmd2(X[0], Y, K), "`x` must have rank 2"),
        (lambda: discrepancies.mmd2(X, Y[None], K), "`y` must have rank 2"),
        (lambda: discrepancies.mmd2(X, Y[:, :2], K), "same number of features"),
        (lambda: discrepancies.mmd2(X[:1], Y, K), "needs at least 2 rows in `x`"),
        (lambda: discrepancies.mmd2(X, Y[:1], K, estimator="linear"), "needs at least 2 rows in `y`"),
        (lambda: discrepancies.mmd2(X[:0], Y, K, estimator="biased"), "needs at least 1 row in `x`"),
        (lambda: discrepancies.mmd2(X, Y, "gaussian"), "must be a `tfmmd.kernels.Kernel`"),
        (lambda: discrepancies.mmd2(X, Y, K, estimator="unbiasd"), "Did you mean 'unbiased'"),
        (lambda: discrepancies.mmd2(X, Y, K, method="fast"), "`method` must be one of"),
        (lambda: discrepancies.mmd2(X, Y, K, tile_rows=0), "`tile_rows` must be a positive"),
        (lambda: discrepancies.mmd2(X, Y, K, block_size=4), "belongs to `estimator='block'`"),
        (
            lambda: discrepancies.mmd2(X, Y, K, estimator="block", block_size=9),
            "at most the smaller sample size",
        ),
        (lambda: discrepancies.mmd2(X, Y, K, estimator="block", block_size=1), "must be at least 2"),
        (lambda: discrepancies.mmd2(with_nan(), Y, K), r"first at index \(3, 1\)"),
        (lambda: discrepancies.mmd2(X, np.full([4, 3], np.inf), K), "12 NaN or inf of 12 entries"),
        (lambda: discrepancies.mmd2(X, Y, K, x_weights=np.ones(9)), "one entry for each row"),
        (lambda: discrepancies.mmd2(X, Y, K, x_weights=np.ones([10, 1])), "`x_weights` must have rank 1"),
        (lambda: discrepancies.mmd2(X, Y, K, y_weights=-np.ones(8)), "must be zero or more"),
        (lambda: discrepancies.mmd2(X, Y, K, y_weights=np.zeros(8)), "not all zero"),
        (lambda: discrepancies.mmd2(X, Y, K, estimator="linear", x_weights=np.ones(10)), "Weights belong to"),
        (lambda: discrepancies.mmd2_and_variance(X[:3], Y, K), "needs at least 4 rows in `x`"),
        (lambda: discrepancies.permutation_test(X, Y, K, num_permutations=0), "`num_permutations` must be"),
        (lambda: discrepancies.permutation_test(X, Y[:1], K), "needs at least 2 rows"),
        (lambda: discrepancies.relative_test(X, X, Y, K), "three samples of one size"),
        (lambda: discrepancies.relative_test(X, X, X, K, variance_floor=-1.0), "`variance_floor` must be"),
        (lambda: discrepancies.select_kernel(X, Y, []), "needs candidates"),
        (lambda: discrepancies.select_kernel(X, Y, [K], training_share=1.0), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call, reason):
    with pytest.raises(ValueError, match=reason) as error:
        call()
    assert "Received: " in str(error.value)
