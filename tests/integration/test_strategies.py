"""The same numbers on one device or many."""

import functools
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.integration.replica_facts import BIAS_ROWS, ROWS
from tests.systems import SYSTEMS

SHARDED = ("gmmn", "gmmn-ae", "wae-mmd", "mmd-gan")
QUICK = ("facts", "gmmn+uneven", "wae-mmd+shard_rows")
EVERY = (*SYSTEMS, *(f"{name}+shard_rows" for name in SHARDED), "gmmn+uneven", "vae+uneven")
STEPS = 20
MANY = (2, 4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Function (number of devices, cases) -> (losses and weights, facts), each strategy in a process of its own."""
    folder = tmp_path_factory.mktemp("strategies")

    @functools.cache
    def result(num_devices, cases):
        out = folder / f"{num_devices}-{len(cases)}"
        arguments = [str(out), str(num_devices), str(STEPS), *cases]
        command = [sys.executable, "-m", "tests.integration.strategy_run", *arguments]
        process = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        assert process.returncode == 0, process.stderr[-4000:]
        facts = out.with_suffix(".json")
        return dict(np.load(out.with_suffix(".npz"))), json.loads(facts.read_text()) if facts.exists() else {}

    return result


@pytest.fixture(scope="module")
def quick(trained):
    """Function (number of devices) -> as `trained`; on four devices the facts alone, training there is slow."""
    return lambda num_devices: trained(num_devices, QUICK[:1] if num_devices == 4 else QUICK)


def check_case(one, many, case):
    keys = {key for key in one if key.startswith(f"{case}/")}
    assert keys and keys == {key for key in many if key.startswith(f"{case}/")}
    for key in keys:
        np.testing.assert_allclose(many[key], one[key], rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.distributed
@pytest.mark.parametrize("case", QUICK[1:])
def test_two_devices_train_and_evaluate_as_one(case, quick):
    check_case(quick(1)[0], quick(2)[0], case)


@pytest.mark.distributed
def test_callbacks_are_called_once_a_step_whatever_the_number_of_replicas(quick):
    assert [int(quick(n)[0]["gmmn+uneven/calls"]) for n in (1, 2)] == [STEPS] * 2


@pytest.mark.distributed
@pytest.mark.parametrize("num_devices", MANY)
def test_pretraining_on_many_devices_loses_what_it_loses_on_one(num_devices, quick):
    one, many = (quick(n)[1]["pretraining"] for n in (1, num_devices))
    assert set(one) == {"pretrain", "pretrain_whole"} and min(one.values()) > 1.0
    assert many == pytest.approx(one, rel=1e-5)


@pytest.mark.distributed
@pytest.mark.parametrize("kind", ["equality", "uneven"])
@pytest.mark.parametrize("num_devices", MANY)
def test_global_mmd_and_its_gradient_are_those_of_one_device(num_devices, kind, quick):
    errors = quick(num_devices)[1][kind]
    assert len(errors) == {"equality": 20, "uneven": 8}[kind]
    assert max(errors.values()) < 1e-9, max(errors.items(), key=lambda item: item[1])


@pytest.mark.distributed
def test_sharded_rows_divide_the_kernel_work_among_the_replicas(quick):
    counted = {n: quick(n)[1]["entries"] for n in (1, *MANY)}
    whole = 3 * ROWS**2  # x with x, y with y, x with y
    for n in MANY:
        assert counted[n]["gathered, x"] == [whole] * n
        assert counted[n]["sharded, x"] == [whole // n] * n
        assert (
            counted[n]["sharded, x and y"] == [(whole + ROWS**2) // n] * n
        )  # y with x, for the gradient of y
    assert counted[1]["sharded, x"] == [whole]


@pytest.mark.distributed
def test_the_bias_does_not_grow_with_the_replicas(quick):
    biases = {n: quick(n)[1]["bias"] for n in (1, *MANY)}
    expected = (1 - 1 / 3) * 2 / BIAS_ROWS  # (k(x, x) - E k(x, x')) (1 / n + 1 / m)
    for n in MANY:
        for form in ("gathered", "sharded"):
            np.testing.assert_allclose(biases[n][form], biases[1]["gathered"], rtol=1e-5)
        np.testing.assert_allclose(
            biases[n]["local"], n * expected, rtol=0.1
        )  # what averaging replicas would give
    np.testing.assert_allclose(biases[1]["gathered"], expected, rtol=0.1)


@pytest.mark.distributed
def test_gradients_of_gradients_of_the_sharded_form_are_refused(quick):
    assert "shard_rows=False" in quick(2)[1]["second_order"]


@pytest.mark.distributed
@pytest.mark.parametrize("num_devices", MANY)
def test_minibatch_discrimination_compares_with_the_rows_of_all_devices(num_devices, quick):
    one, many = (np.array(quick(n)[1]["closeness"]) for n in (1, num_devices))
    np.testing.assert_allclose(many, one, rtol=1e-5)
    assert one[:, 3:].max() > 0.01


@pytest.mark.distributed
@pytest.mark.parametrize("num_devices", MANY)
def test_a_clipping_optimizer_clips_the_gradient_of_the_global_batch(num_devices, quick):
    errors = quick(num_devices)[1]["clipping"]
    assert len(errors) == 6 and max(errors.values()) < 1e-6, errors


@pytest.mark.distributed
@pytest.mark.parametrize("num_devices", MANY)
def test_what_cannot_run_on_several_devices_is_refused_with_the_way_out(num_devices, quick):
    jit, steps, rows_of_arrays, rows_of_a_dataset = quick(num_devices)[1]["refusals"]
    assert "Leave jit_compile out" in jit and "Leave steps_per_execution out" in steps
    assert "Use batch_size=" in rows_of_arrays and f"{num_devices} replicas" in rows_of_arrays
    assert rows_of_a_dataset == rows_of_arrays


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize("num_devices", MANY)
@pytest.mark.parametrize("case", EVERY)
def test_every_system_trains_on_many_devices_as_on_one(case, num_devices, trained):
    check_case(trained(1, EVERY)[0], trained(num_devices, EVERY)[0], case)


@pytest.mark.slow
@pytest.mark.distributed
def test_losses_of_the_compared_runs_are_no_trifles(trained):
    arrays = trained(1, EVERY)[0]
    for case in EVERY:
        assert max(np.abs(v).max() for k, v in arrays.items() if k.startswith(f"{case}/loss/")) > 1e-3, case
    assert np.abs(arrays["mmd-gan/loss/generator_loss"]).max() > 1e-3


@pytest.mark.slow
@pytest.mark.distributed
def test_batch_norm_statistics_are_those_of_the_global_batch(trained):
    one, many = trained(1, EVERY)[0], trained(2, EVERY)[0]
    means = [key for key in one if key.startswith("mmd-gan/weight") and key.endswith("moving_mean")]
    assert means and all(np.abs(one[key]).max() > 1e-3 for key in means)
    for key in means:
        np.testing.assert_allclose(many[key], one[key], rtol=1e-5, atol=1e-6, err_msg=key)
