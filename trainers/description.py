"""What `config.json` says of a run: every setting, the seed, versions and the machine."""

import contextlib
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path

PACKAGES = ("tfmmd", "tensorflow", "keras", "tensorflow-probability", "numpy")
VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}  # flag -> name, widest first


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
        "commit": commit(),
        "machine": {
            "platform": platform.platform(),
            "python": sys.version.split()[0],
            "processor": processor(),
        },
    }


def processor():
    """The processor and the widest of its vectors, which decide how sums round; as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    widest = [name for flag, name in VECTORS.items() if flag in fields.get("flags", "").split()][:1]
    return ", ".join([fields.get("model name", platform.machine()), *widest])


def commit():
    """The commit of the checkout that the package is imported from; None where it is installed without one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
