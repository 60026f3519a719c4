"""Strategies by name."""

import json
import os

import tensorflow as tf

from tfmmd import checks

NAMES = ("none", "mirrored", "multiworker")


def make(name):
    """The strategy of `--strategy`: None, all local devices, or the workers of `TF_CONFIG`.

    On a machine without GPUs, `mirrored` uses the logical CPU devices (see `split_cpu`).

    Raises:
        ValueError: If the name is unknown, or `TF_CONFIG` is missing or malformed.
    """
    checks.one_of("strategy", name, NAMES)
    if name == "none":
        return None
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    _check_tf_config()
    return tf.distribute.MultiWorkerMirroredStrategy()


def split_cpu(num_devices):
    """Splits the CPU into logical devices; before TensorFlow runs anything."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * num_devices)


def _check_tf_config():
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        valid = task["type"] in ("worker", "chief") and 0 <= int(task["index"]) < len(workers)
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        checks.fail(
            "--strategy multiworker needs TF_CONFIG with a cluster and this worker's task.",
            f"TF_CONFIG={text!r}",
            'Set it like {"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
            '"task": {"type": "worker", "index": 0}}.',
        )
