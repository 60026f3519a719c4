"""The endpoints of models with an encoder, over both wires of the stand-in."""

import numpy as np
import pytest

from export import saved_model, server
from export.client import Client
from tests import systems

NAME = "tiny-vae"
X = systems.digits(6)


@pytest.fixture(scope="module")
def model():
    return systems.vae()


@pytest.fixture(scope="module")
def handle(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "models"
    saved_model.save(model, folder, NAME)
    with server.running(folder) as running:
        yield running


@pytest.fixture(scope="module", params=["grpc", "rest"])
def client(request, handle):
    address = {"grpc": handle.grpc_address, "rest": handle.rest_address}[request.param]
    with Client(**{request.param: address}, name=NAME) as client:
        yield client


def test_served_codes_are_those_of_the_model(client, model):
    np.testing.assert_allclose(client.encode(X), model.encode(X), atol=1e-6)


def test_served_reconstructions_are_those_of_the_model(client, model):
    np.testing.assert_allclose(client.reconstruct(X), model.reconstruct(X), atol=1e-6)


def test_served_points_between_images_are_those_of_the_model(client, model):
    weights = np.array([0.0, 0.25, 1.0], np.float32)
    served = client.interpolate(X[:3], X[3:], weights)
    np.testing.assert_allclose(served, model.blend(X[:3], X[3:], weights), atol=1e-6)
    assert not np.allclose(served[1], served[0])
