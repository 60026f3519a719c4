"""Models written once a session, and folders of them to damage."""

import shutil

import pytest
import tensorflow as tf

from export import saved_model, server
from export.session import LoadedModel
from tests import systems

NAME = "tiny"


@pytest.fixture(scope="session")
def model():
    return systems.gmmn()


@pytest.fixture(scope="session")
def written(model, tmp_path_factory):
    """A models folder with one version, not to be changed."""
    folder = tmp_path_factory.mktemp("written") / "models"
    saved_model.save(model, folder, NAME)
    return folder


@pytest.fixture
def models(written, tmp_path):
    """A copy of `written` to change."""
    return shutil.copytree(written, tmp_path / "models")


@pytest.fixture(scope="session")
def loaded(written):
    """The written version in a session of its own."""
    loaded = LoadedModel(written / NAME / "1")
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def stand_in(written):
    """A stand-in that serves `written`."""
    with server.running(written) as handle:
        yield handle


class _Slow(tf.Module):
    """Runs as many matrix products as the first row says."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="products")])
    def run(self, products):
        matrix = tf.eye(256)
        _, matrix = tf.while_loop(
            lambda i, m: i < products[0],
            lambda i, m: (i + 1, tf.matmul(m, m)),
            (tf.constant(0, tf.int64), matrix),
        )
        return {"trace": tf.linalg.trace(matrix) + tf.cast(0 * products, tf.float32)}


@pytest.fixture(scope="session")
def slow_written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    module = _Slow()
    tf.saved_model.save(module, str(folder / "slow" / "1"), signatures={"serving_default": module.run})
    return folder


@pytest.fixture
def slow_models(slow_written, tmp_path):
    """A models folder with the model `slow`, whose requests take as long as their input says."""
    return shutil.copytree(slow_written, tmp_path / "slow")


@pytest.fixture
def new_version(models):
    """Function number -> a copy of version 1 under that number, returned as a path."""

    def copy(number):
        return shutil.copytree(models / NAME / "1", models / NAME / str(number))

    return copy


@pytest.fixture
def files():
    """Function folder -> the paths in it, relative, hidden ones too."""
    return lambda folder: sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.fixture
def run_dir(model, tmp_path):
    """A run folder as a trainer leaves it."""
    folder = tmp_path / "run-a"
    folder.mkdir()
    model.save(folder / "model.keras")
    return folder
