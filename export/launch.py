"""Starts TensorFlow Serving where it is installed, else the stand-in, and says which one runs."""

import contextlib
import gc
import json
import logging
import queue
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from export import server, serving_files, versions
from export.catalog import check_folder

log = logging.getLogger("tfmmd.export")

BINARY = "tensorflow_model_server"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_POLL_SECONDS = 1  # between looks at the models folder, as the stand-in


def serve(models_dir, *, host, grpc_port, rest_port, stand_in=False, as_json=False):
    """Serves a models folder until a signal comes.

    Args:
        models_dir: Folder of the models.
        host: Address of the stand-in; TensorFlow Serving binds all of them.
        grpc_port: gRPC port.
        rest_port: REST port.
        stand_in: Whether to run the stand-in even where TensorFlow Serving is installed.
        as_json: Whether the line about the server that runs is JSON.

    Returns:
        Exit code.

    Raises:
        ValueError: If the folder holds no version, or a port is in use.
        ServingError: If no version loads.
    """
    check_folder(models_dir)
    binary = None if stand_in else shutil.which(BINARY)
    if binary:
        return _serve_official(binary, Path(models_dir).resolve(), grpc_port, rest_port, as_json)
    return _serve_stand_in(models_dir, host, grpc_port, rest_port, as_json)


def command(binary, models_dir, config_file, grpc_port, rest_port):
    """The command line of TensorFlow Serving for a models folder."""
    return [
        binary,
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_config_file={config_file}",
        f"--model_config_file_poll_wait_seconds={_POLL_SECONDS}",
        "--allow_version_labels_for_unavailable_models=true",
        "--enable_batching=true",
        f"--batching_parameters_file={models_dir / serving_files.BATCHING}",
        f"--monitoring_config_file={models_dir / serving_files.MONITORING}",
    ]


def _serve_official(binary, models_dir, grpc_port, rest_port, as_json):
    with tempfile.TemporaryDirectory(prefix="tfmmd-serving-") as folder:
        config = Path(folder) / serving_files.MODELS
        config.write_text(_models_config(models_dir))
        process = subprocess.Popen(command(binary, models_dir, config, grpc_port, rest_port))
        with _on_signal(process.terminate):
            log.info("TensorFlow Serving (%s) on all addresses: its own flags decide that", binary)
            _say(as_json, "TensorFlow Serving", f"0.0.0.0:{grpc_port}", f"http://0.0.0.0:{rest_port}")
            code = _wait_for_end(process, models_dir, config)
    return 0 if code in (0, *(-number for number in _SIGNALS)) else 1  # Ctrl-C reaches the server too


def _models_config(models_dir):
    """As the emitted models.config, with the paths of this machine."""
    return serving_files.models_config(models_dir, root=models_dir)


def _wait_for_end(process, models_dir, config):
    """The exit code of the server; until it ends `config` follows the models folder."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_SECONDS)
        try:
            text = _models_config(models_dir)
            if text != config.read_text():
                versions.write_text(config, text)
        except Exception:  # the server outlives any fault of the disk
            log.exception("The models folder could not be read; what is served stays")


def _serve_stand_in(models_dir, host, grpc_port, rest_port, as_json):
    stop = queue.SimpleQueue()  # its put is safe within a signal handler
    gc.freeze()  # imported modules: a collection that walks them stalls a request for long
    with _on_signal(lambda: stop.put(None)):
        with server.running(models_dir, host=host, grpc_port=grpc_port, rest_port=rest_port) as handle:
            _say(as_json, "stand-in", handle.grpc_address, handle.rest_address)
            _wait(stop)
            log.info("Stopping: requests inside are finished first")
    return 0


def _wait(stop):
    """Waits for an item, awake twice a second: a signal that another thread took must not go unseen."""
    while True:
        with contextlib.suppress(queue.Empty):
            return stop.get(timeout=0.5)


@contextlib.contextmanager
def _on_signal(action):
    before = {number: signal.signal(number, lambda *_: action()) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(as_json, kind, grpc_address, rest_address):
    if as_json:
        line = json.dumps({"server": kind, "grpc": grpc_address, "rest": rest_address})
    elif kind == "stand-in":
        line = (
            f"stand-in server for local use and tests (TensorFlow Serving is not used): "
            f"gRPC {grpc_address}, REST {rest_address}"
        )
    else:
        line = f"{kind}: gRPC {grpc_address}, REST {rest_address}"
    print(line, flush=True)
