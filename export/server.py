"""A stand-in for TensorFlow Serving, for local use and tests.

It speaks TensorFlow Serving's gRPC (`PredictionService.Predict`, `GetModelMetadata`,
`ModelService.GetModelStatus`) and REST (`:predict`, `/metadata`, status), follows versions and labels on
disk, and keeps to loopback unless told otherwise. It does not merge requests into batches and is not made for
production.

    with server.running("models") as handle:
        Client(grpc=handle.grpc_address).sample([1, 2, 3], name="gmmn")
        requests.get(f"{handle.rest_address}/v1/models/gmmn")
"""

import contextlib
import dataclasses
import logging
import threading

from export import grpc_service, rest_service, serving_files
from export.catalog import Catalog
from export.core import Core
from export.limits import Admission
from tfmmd import checks

log = logging.getLogger("tfmmd.export")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the stand-in serves.

    Args:
        host: Address to bind.
        grpc_port: Port, 0 for a free one.
        rest_port: Port, 0 for a free one.
        poll_seconds: How often the models folder is looked at.
        max_rows: Rows of a request at most; None reads batching.config.
        max_request_bytes: Bytes of a request at most.
        running: Requests that run at a time.
        waiting: Requests that wait; one more gets RESOURCE_EXHAUSTED or 429.
        rest_timeout: Deadline of a REST request in seconds; over gRPC the client sets it.
    """

    host: str = "127.0.0.1"
    grpc_port: int = 0
    rest_port: int = 0
    poll_seconds: float = 1.0
    max_rows: int | None = None
    max_request_bytes: int = 64 * 2**20
    running: int = 4
    waiting: int = 128
    rest_timeout: float = 30.0


class Server:
    """A stand-in server of a models folder, not yet started.

    Args:
        models_dir: Folder of the models.
        settings: `Settings`.

    Raises:
        ValueError: If the folder holds no version, or a port is in use.
        ServingError: If no version loads.
    """

    def __init__(self, models_dir, settings=None):
        self.settings = settings or Settings()
        max_rows = self.settings.max_rows or serving_files.read_batching(models_dir).max_rows
        self._catalog = Catalog(models_dir, self.settings.poll_seconds)
        self._admission = Admission(self.settings.running, self.settings.waiting)
        core = Core(self._catalog, self._admission, max_rows)
        try:
            self._bind(core)
        except BaseException:
            self._catalog.close()
            raise
        self._rest_thread = threading.Thread(target=self._rest.serve_forever, args=(0.05,), daemon=True)

    def _bind(self, core):
        host, settings = self.settings.host, self.settings
        with _port_errors("gRPC", host, settings.grpc_port):
            self._grpc, self._grpc_port = grpc_service.make_server(
                core,
                _address(host, settings.grpc_port),
                max_threads=settings.running + settings.waiting + 8,  # beyond the limit: to say so
                max_request_bytes=settings.max_request_bytes,
            )
        try:
            with _port_errors("REST", host, settings.rest_port):
                self._rest = rest_service.Server(
                    core,
                    (host, settings.rest_port),
                    timeout_seconds=settings.rest_timeout,
                    max_request_bytes=settings.max_request_bytes,
                )
        except BaseException:
            self._grpc.stop(None).wait()
            raise

    @property
    def grpc_address(self):
        """`host:port`."""
        return _address(self.settings.host, self._grpc_port)

    @property
    def rest_address(self):
        """`http://host:port`."""
        return f"http://{_address(self.settings.host, self._rest.server_address[1])}"

    @property
    def names(self):
        """The names served."""
        return self._catalog.names()

    @property
    def load(self):
        """Requests inside: running and waiting."""
        return self._admission.load

    def start(self):
        """Begins to answer and to watch the folder."""
        self._grpc.start()
        self._rest_thread.start()
        self._catalog.start()
        log.info(
            "Stand-in server (local use and tests; not TensorFlow Serving): %s on gRPC %s, REST %s",
            ", ".join(self.names),
            self.grpc_address,
            self.rest_address,
        )

    def refresh(self):
        """Looks at the folder now instead of at the next poll."""
        self._catalog.refresh()

    def stop(self, grace=10.0):
        """Turns new requests away, lets those inside finish for up to `grace` seconds, frees everything."""
        self._admission.close(grace)
        self._grpc.stop(grace).wait()
        if self._rest_thread.is_alive():
            self._rest.shutdown()
        self._rest.server_close()
        self._catalog.close()


@contextlib.contextmanager
def running(models_dir, **settings):
    """A started stand-in server on free ports, stopped at the end of the block.

    Args:
        models_dir: Folder of the models.
        **settings: As `Settings`.

    Yields:
        The `Server`: `.grpc_address`, `.rest_address`, `.refresh()`.

    Example:
        ```python
        with server.running("models") as handle:
            samples = client.Client(grpc=handle.grpc_address).sample(range(16), name="gmmn")
        ```
    """
    server = Server(models_dir, Settings(**settings))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextlib.contextmanager
def _port_errors(kind, host, port):
    try:
        yield
    except (OSError, OverflowError) as error:
        checks.fail(
            f"The {kind} port must be free.",
            f"{_address(host, port)} ({error})",
            "Stop its owner or pass another port.",
        )
