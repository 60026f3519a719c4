"""The alarm fires on collapse and stays silent on healthy samples."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests import systems
from tfmmd import callbacks, kernels
from tfmmd.callbacks import collapse


class Fake:
    """A model whose samples are given."""

    stop_training = False

    def __init__(self, samples):
        self.samples = samples

    def sample(self, num_samples, seed=None):
        return self.samples[:num_samples]


def alarm_on(samples, **settings):
    alarm = callbacks.CollapseAlarm(systems.digits(500), num_samples=256, **settings)
    alarm.set_model(Fake(samples))
    alarm.on_epoch_end(0)
    return alarm


def healthy():
    return systems.digits(1000)[500:]


@pytest.mark.filterwarnings("error")
def test_real_images_raise_no_alarm():
    kernel = kernels.Gaussian([1.0, 2.0, 4.0])
    assert not alarm_on(
        healthy(), kernel=kernel, classifier=lambda x: np.eye(10)[np.arange(len(x)) % 10]
    ).alarms


def test_a_single_repeated_image_fires():
    with pytest.warns(UserWarning, match="unique=0.004"):
        assert alarm_on(np.repeat(healthy()[:1], 256, 0)).numbers["spread"] == pytest.approx(0.0, abs=1e-4)


def test_little_spread_fires():
    squeezed = healthy() * 0.1
    with pytest.warns(UserWarning, match="spread=0.099"):
        alarm_on(squeezed)


def test_one_class_fires_through_the_classifier():
    with pytest.warns(UserWarning, match="entropy=0.000"):
        alarm_on(healthy(), classifier=lambda x: np.eye(10)[np.zeros(len(x), int)])


def test_a_saturated_kernel_fires_with_the_bandwidth_that_would_mend_it():
    with pytest.warns(UserWarning, match="try 3.04"):
        alarm_on(healthy(), kernel=kernels.Gaussian([0.05]))


@pytest.mark.filterwarnings("ignore:epoch")
def test_an_alarm_can_stop_training():
    alarm = alarm_on(np.repeat(healthy()[:1], 256, 0), stop=True)
    assert alarm.model.stop_training


def test_the_numbers_reach_tensorboard_through_a_folder_named_later(tmp_path):
    alarm = callbacks.CollapseAlarm(systems.digits(500), num_samples=64)
    alarm.write_to(tmp_path)
    alarm.set_model(Fake(healthy()))
    alarm.on_epoch_end(0)
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    (spread,) = events.Tensors("collapse/spread")
    assert float(tf.make_ndarray(spread.tensor_proto)) == pytest.approx(alarm.numbers["spread"])


def test_unique_share_counts_copies_once():
    assert collapse.unique_share(np.array([[0.0], [0.0], [1.0], [1.0], [5.0]]), 0.1) == pytest.approx(3 / 5)


def test_one_sample_is_too_few_to_vary():
    with pytest.raises(ValueError, match="two samples"):
        callbacks.CollapseAlarm(systems.digits(10), num_samples=1)
