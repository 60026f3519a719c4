"""The servers that the wire tests run against: the stand-in, and the official one where it is at hand.

The official server is started where `tensorflow_model_server` is on the PATH. One that runs elsewhere is used
where `TFMMD_SERVING_URL` (`host:port` for gRPC or `http://host:port`) and `TFMMD_SERVING_MODEL` (the folder
`<models>/<name>` it serves, as seen from here) are set.
"""

import contextlib
import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export import launch, server, versions
from export.client import Client
from export.errors import ServingError

STAND_IN, BINARY, URL = "stand-in", launch.BINARY, "TFMMD_SERVING_URL"
ALL = (STAND_IN, BINARY, URL)
_START_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Served:
    """A running server, the addresses it has, and the model's folder."""

    kind: str
    addresses: dict
    model_dir: Path

    @property
    def exact(self):
        """Whether its arithmetic is this process's, bit for bit."""
        return self.kind == STAND_IN

    def client(self, transport, **options):
        """A client over `"grpc"` or `"rest"`."""
        if transport not in self.addresses:
            pytest.skip(f"{self.kind}: no {transport} address")
        return Client(**{transport: self.addresses[transport]}, name=self.model_dir.name, **options)


@contextlib.contextmanager
def run(kind, models_dir, name):
    """Yields a `Served` of the kind, or skips by name where there is none."""
    if kind == STAND_IN:
        with server.running(models_dir) as handle:
            addresses = {"grpc": handle.grpc_address, "rest": handle.rest_address}
            yield Served(kind, addresses, models_dir / name)
    elif kind == BINARY:
        if not shutil.which(BINARY):
            pytest.skip(f"{BINARY} is not on the PATH")
        with _official(models_dir, name) as served:
            yield served
    else:
        url, folder = os.environ.get(URL), os.environ.get("TFMMD_SERVING_MODEL")
        if not (url and folder):
            pytest.skip(f"{URL} and TFMMD_SERVING_MODEL are not set")
        address = {"rest": url} if url.startswith("http") else {"grpc": url}
        yield Served(kind, address, Path(folder))


@contextlib.contextmanager
def _official(models_dir, name):
    grpc_port, rest_port = _free_port(), _free_port()
    command = [sys.executable, "-m", "export", "serve", models_dir]
    process = subprocess.Popen([*command, f"--grpc-port={grpc_port}", f"--rest-port={rest_port}"])
    served = Served(
        BINARY,
        {"grpc": f"127.0.0.1:{grpc_port}", "rest": f"http://127.0.0.1:{rest_port}"},
        models_dir / name,
    )
    try:
        _wait(served.client("grpc"))
        yield served
    finally:
        process.terminate()
        process.wait()


def _wait(client):
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            if "AVAILABLE" in {state for state, _ in client.status().values()}:
                return
        except ServingError:
            pass
        if time.monotonic() > end:
            pytest.fail("the server did not come up")
        time.sleep(0.2)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def newest(served):
    """The newest version folder of the served model."""
    return served.model_dir / str(versions.numbers(served.model_dir)[-1])
