"""Settings of every test: quiet TensorFlow, no network, one cache per session."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # of several workers each has a core
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import matplotlib
import pytest

matplotlib.use("Agg")

MNIST = "mnist"


def pytest_collection_modifyitems(items):
    """Tests of real MNIST are skipped, by name, where no prepared MNIST is at hand."""
    if os.environ.get("TFDS_DATA_DIR"):
        return
    skip = pytest.mark.skip(reason="TFDS_DATA_DIR is not set: no prepared MNIST")
    for item in items:
        if "needs_mnist" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TFMMD_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
