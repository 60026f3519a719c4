"""Strategies and devices by name."""

import re

import tensorflow as tf

from tfmmd import checks
from trainers import workers

NAMES = ("none", "mirrored", "multiworker")


def make(name, devices=None):
    """The strategy of `--strategy`: None, all local devices, or the workers of `TF_CONFIG` or of Slurm.

    On a machine without GPUs, `mirrored` uses the logical CPU devices (see `use_devices`). Of several workers,
    all must call it, after `workers.meet`.

    Args:
        name: One of `NAMES`.
        devices: As in `use_devices`; None takes what is there.

    Raises:
        ValueError: If the name is unknown, the devices are not there, no strategy would use them all, or `TF_CONFIG` is
            missing or malformed.
    """
    checks.one_of("strategy", name, NAMES)
    if devices is not None:
        _check_used(devices, name)
        use_devices(devices)
    if name == "none":
        return None
    if name == "mirrored":
        local = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in local])
    workers.cluster()
    return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(name):
    """Whether this process writes the run folder under the strategy of that name: only one worker does."""
    return name != "multiworker" or workers.cluster().index == 0


def use_devices(devices):
    """Makes these devices the only ones; before TensorFlow runs anything.

    Args:
        devices: `"gpu"` (all), `"gpu:2"` (the first two), `"cpu"`, or `"cpu:4"` (the CPU as four logical devices,
            to rehearse a run on several).

    Raises:
        ValueError: If the text says something else, or so many GPUs are not there.
    """
    kind, count = _parsed(devices)
    if kind == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return split_cpu(count or 1)
    have = tf.config.list_physical_devices("GPU")
    if len(have) < max(count, 1):
        checks.fail(
            f"`devices` asks for {max(count, 1)} GPU{'s' * (count > 1)}.",
            f"devices={devices!r}, and TensorFlow sees {len(have)}",
            "Install tensorflow[and-cuda] and check nvidia-smi, or use cpu or cpu:2.",
        )
    return tf.config.set_visible_devices(have[: count or None], "GPU")


def _parsed(devices):
    """Kind and number of the devices; 0 where no number is given."""
    match = re.fullmatch(r"(cpu|gpu)(?::([1-9]\d*))?", str(devices))
    if not match:
        checks.fail("`devices` must be like gpu, gpu:2, cpu or cpu:4.", f"devices={devices!r}", "Use cpu:2.")
    return match[1], int(match[2] or 0)


def _check_used(devices, strategy):
    count = _parsed(devices)[1]
    if strategy == "none" and count > 1:
        checks.fail(
            f"{count} devices need a strategy.",
            f"devices={devices!r}, strategy='none'",
            "Add --strategy mirrored, or ask for one device.",
        )


def check_batch(batch_size, num_replicas):
    """Checks that every replica gets as many rows of each step as the others."""
    if batch_size % num_replicas:
        near = max(1, round(batch_size / num_replicas)) * num_replicas
        checks.fail(
            f"The batch size is the global one, a multiple of the {num_replicas} replicas.",
            f"batch_size={batch_size}",
            f"Use --batch-size {near}.",
        )


def split_cpu(num_devices):
    """Splits the CPU into logical devices; before TensorFlow runs anything."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * num_devices)
