"""The same numbers on one device or many."""

import subprocess
import sys

import numpy as np
import pytest

from tests.systems import SYSTEMS

QUICK = ("gmmn",)
STEPS = 20


def train(tmp_path, num_devices, names):
    """Losses and weights of the systems after a run in a process of its own."""
    out = tmp_path / f"{num_devices}.npz"
    command = [
        sys.executable,
        "-m",
        "tests.integration.strategy_run",
        str(out),
        str(num_devices),
        str(STEPS),
        *names,
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert result.returncode == 0, result.stderr[-4000:]
    return dict(np.load(out))


def check_equal(one, many):
    assert set(one) == set(many)
    for key in one:
        np.testing.assert_allclose(many[key], one[key], rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.distributed
def test_two_devices_train_as_one(tmp_path):
    check_equal(train(tmp_path, 1, QUICK), train(tmp_path, 2, QUICK))


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize("num_devices", [2, 4])
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_trains_on_many_devices_as_on_one(name, num_devices, tmp_path):
    check_equal(train(tmp_path, 1, [name]), train(tmp_path, num_devices, [name]))
