"""The numbers of the reference implementations on the same arrays, stored with their versions.

Made with torch-fidelity 0.4.0 and torchmetrics 1.9.0 (torch 2.14.1) from the float64 arrays below.
"""

import numpy as np
import pytest

from tfmmd.metrics import (
    frechet_inception_distance,
    inception_score,
    kernel_inception_distance,
    precision_recall,
)
from tfmmd.metrics import kid as kid_module

RNG = np.random.RandomState(0)
MIX = RNG.standard_normal((24, 24)) / 5
REAL = np.maximum(RNG.standard_normal((300, 24)) @ MIX + 0.3, 0)
FAKE = np.maximum(RNG.standard_normal((300, 24)) @ MIX * 1.1 + 0.35, 0)
LOGITS = 2 * RNG.standard_normal((203, 10))

TORCH_FIDELITY_FID = 0.845418760857175
TORCHMETRICS_FID = 0.8454187608571715
TORCH_FIDELITY_KID = 0.07016928590276983  # one subset of all 300 rows
TORCHMETRICS_KID = 0.07016928590276983
TORCH_FIDELITY_KID_SUBSETS = 0.07414120190949662, 0.05851820884189411  # 7 subsets of 100, rng_seed 2020
TORCH_FIDELITY_ISC = 2.412473488070742, 0.11066390317517691  # 10 splits, shuffle=False
TORCH_FIDELITY_PRC = 0.7233333587646484, 0.949999988079071  # input 1 fake, input 2 real, prc_neighborhood=3


@pytest.mark.parametrize("expected", [TORCH_FIDELITY_FID, TORCHMETRICS_FID])
def test_fid(expected):
    np.testing.assert_allclose(frechet_inception_distance(REAL, FAKE).mean, expected, rtol=1e-8)


@pytest.mark.parametrize("expected", [TORCH_FIDELITY_KID, TORCHMETRICS_KID])
def test_kid_of_all_pairs(expected):
    value = kernel_inception_distance(REAL, FAKE, estimator="full").mean
    np.testing.assert_allclose(value, expected, rtol=1e-9)


def test_kid_over_the_subsets_that_torch_fidelity_draws():
    rng = np.random.RandomState(2020)
    draws = [[x[rng.choice(300, 100, replace=False)] for x in (REAL, FAKE)] for _ in range(7)]
    values, _ = kid_module._values(draws)
    np.testing.assert_allclose((values.mean(), values.std()), TORCH_FIDELITY_KID_SUBSETS, rtol=1e-9)


def test_inception_score():
    estimate = inception_score(LOGITS, from_logits=True, shuffle=False)
    np.testing.assert_allclose((estimate.mean, estimate.standard_deviation), TORCH_FIDELITY_ISC, rtol=1e-9)


def test_precision_and_recall():
    estimate = precision_recall(REAL, FAKE, k=3)
    np.testing.assert_allclose((estimate.precision, estimate.recall), TORCH_FIDELITY_PRC, rtol=1e-6)
