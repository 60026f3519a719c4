"""What `config.json` says of a run: every setting, the seed, versions and the machine."""

import contextlib
import importlib.metadata
import platform
import sys

PACKAGES = ("tfmmd", "tensorflow", "keras", "tensorflow-probability", "numpy")


def describe(options, settings):
    """The content of `config.json`."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "system": options.system,
        "dataset": options.dataset,
        "preset": options.preset,
        "seed": options.seed,
        "strategy": options.strategy,
        "settings": dict(settings),
        "versions": versions,
        "machine": {"platform": platform.platform(), "python": sys.version.split()[0]},
    }
