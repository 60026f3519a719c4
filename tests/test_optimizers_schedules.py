"""Schedules against their formulas."""

import keras
import numpy as np
import pytest

from tfmmd.optimizers import LinearRamp, LinearTail


def values(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_a_ramp_leads_from_start_to_stop_and_stays_there():
    found = values(LinearRamp(0.5, 0.7, 10), [0, 5, 10, 100])
    np.testing.assert_allclose(found, [0.5, 0.6, 0.7, 0.7], rtol=1e-6)


def test_a_tail_falls_to_zero_over_the_last_part():
    found = values(LinearTail(3e-4, 90, tail=1 / 3), [0, 59, 75, 90, 100])
    np.testing.assert_allclose(found, [3e-4, 3e-4, 1.5e-4, 0.0, 0.0], atol=1e-9)


@pytest.mark.parametrize(
    "schedule", [LinearRamp(0.5, 0.7, 10), LinearTail(3e-4, 90)], ids=lambda s: type(s).__name__
)
def test_a_schedule_survives_its_config(schedule):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert values(again, range(0, 90, 7)) == values(schedule, range(0, 90, 7))


@pytest.mark.parametrize(
    "make",
    [lambda: LinearRamp(0.5, 0.7, 0), lambda: LinearTail(1e-3, 0), lambda: LinearTail(1e-3, 10, tail=0.0)],
)
def test_a_schedule_without_steps_is_refused(make):
    with pytest.raises(ValueError, match="positive"):
        make()


def test_a_tail_longer_than_the_run_is_refused():
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        LinearTail(1e-3, 10, tail=2.0)
