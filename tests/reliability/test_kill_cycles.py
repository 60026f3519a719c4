"""Runs that are killed anywhere and resumed end bit-equal to runs that were left alone."""

import json
import os
import subprocess
import sys

import pytest

from tests.reliability.kill_cycles import SYSTEMS


def cycles(folder, *arguments):
    """The records of `kill_cycles`, which needs a process in which TensorFlow has not run yet."""
    command = [sys.executable, "-m", "tests.reliability.kill_cycles", str(folder), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(records, kills):
    assert {record["system"] for record in records} == set(SYSTEMS)
    unequal = [(record["system"], record["kills"]) for record in records if not record["equal"]]
    assert not unequal
    done = [target for record in records for target in record["kills"]]
    print(f"{len(done)} kills, {len(set(map(str, done)))} different points, all ends bit-equal")
    assert len(done) == kills


def test_20_killed_and_resumed_runs_end_bit_equal(tmp_path):
    check(cycles(tmp_path, "--cycles", "4", "--chain", "4", "--eager"), 20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kills", "options"), [(180, ["--eager"]), (20, [])], ids=["eager", "graph"])
def test_more_killed_and_resumed_runs_end_bit_equal(tmp_path, kills, options):
    chain = ["--cycles", str(kills // len(SYSTEMS)), "--chain", str(min(6, kills // len(SYSTEMS)))]
    check(cycles(tmp_path, *chain, "--seed", "1", *options), kills)
