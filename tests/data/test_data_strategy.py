"""Two replicas share the batches of one device."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.data import strategy_batches
from tfmmd import data

pytestmark = pytest.mark.distributed


@pytest.fixture(scope="module")
def replicas():
    command = [sys.executable, "-m", "tests.data.strategy_batches"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_replicas_share_each_batch_in_order(replicas):
    for stream, steps in zip(strategy_batches.streams(), replicas["rows"], strict=True):
        whole = [batch.tolist() for batch in stream.as_numpy_iterator()]
        assert [sum(parts, []) for parts in steps] == whole


def test_each_replica_gets_half_of_a_full_batch(replicas):
    assert all([len(part) for part in parts] == [3, 3] for parts in replicas["rows"][0])


def test_fit_on_replicas_goes_on_through_the_endless_stream(replicas):
    stream = data.batches(strategy_batches.ROWS[:20], 6, seed=2, num_steps=12)
    steps = [np.sum(2.0**batch) for batch in stream.as_numpy_iterator()]
    np.testing.assert_allclose(replicas["fit"], np.reshape(steps, [4, 3]).sum(axis=1))
