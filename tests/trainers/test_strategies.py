"""Devices and batches that are not there are refused before anything is built."""

import pytest
import tensorflow as tf

from trainers import strategies


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="has a GPU")
@pytest.mark.parametrize(("devices", "asked"), [("gpu", "asks for 1 GPU"), ("gpu:8", "asks for 8 GPUs")])
def test_a_gpu_that_is_not_there_is_refused(devices, asked):
    with pytest.raises(ValueError, match=f"{asked}.*TensorFlow sees 0.*cpu:2"):
        strategies.make("mirrored", devices)


@pytest.mark.parametrize("devices", ["tpu", "cpu:0", "gpu:x", "2", ""])
def test_devices_must_be_named(devices):
    with pytest.raises(ValueError, match="must be like gpu"):
        strategies.make("none", devices)


def test_several_devices_without_a_strategy_are_refused():
    with pytest.raises(ValueError, match="4 devices need a strategy.*--strategy mirrored"):
        strategies.make("none", "cpu:4")


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="multiworker"):
        strategies.make("multi")


@pytest.mark.parametrize(("batch_size", "replicas", "better"), [(100, 8, 96), (3, 8, 8), (65, 2, 64)])
def test_a_batch_that_the_replicas_cannot_share_is_refused(batch_size, replicas, better):
    with pytest.raises(ValueError, match=f"batch_size={batch_size}.*--batch-size {better}"):
        strategies.check_batch(batch_size, replicas)


def test_a_batch_that_the_replicas_can_share_is_taken():
    assert strategies.check_batch(96, 8) is None
