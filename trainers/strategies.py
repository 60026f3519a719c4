"""Strategies by name."""

import hashlib
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


def is_chief(name):
    """Whether this process writes the run folder under the strategy of that name: only one worker does."""
    if name != "multiworker":
        return True
    task = json.loads(os.environ["TF_CONFIG"])["task"]
    return task["type"] == "chief" or int(task["index"]) == 0


def check_same_config(strategy, config):
    """Checks that all workers were started with the same config.

    Args:
        strategy: A strategy or None.
        config: JSON mapping of the settings that must agree.

    Raises:
        ValueError: If the configs of two workers differ.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    text = json.dumps(config, sort_keys=True, default=list)
    number = int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)

    @tf.function
    def spread():
        def gather():
            with tf.device("/device:CPU:0"):
                own = tf.identity(tf.constant([number], tf.int64))
            return tf.distribute.get_replica_context().all_gather(own, axis=0)

        return strategy.run(gather)

    hashes = {int(h) for h in strategy.experimental_local_results(spread())[0]}
    if len(hashes) > 1:
        checks.fail(
            "All workers must be started with the same command.",
            f"{len(hashes)} different configs, one of them {text[:200]}",
            "Compare system, dataset, preset, seed and --set of the workers.",
        )


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
