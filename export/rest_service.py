"""The stand-in's REST side: `:predict`, `/metadata` and the status of models."""

import functools
import http.server
import json
import re
import socket
import socketserver
import urllib.parse
from typing import Any

import orjson
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2

from export import rest_json
from export.core import SIGNATURES
from export.errors import ServingError, first_line
from export.limits import Deadline

_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(_MODEL + r":(?P<method>predict|classify|regress)")
_STATUS = re.compile(_MODEL + r"(?P<metadata>/metadata)?")
_LARGEST_VERSION = 2**63 - 1
_DISCARDED = 16  # times the largest request; beyond that the connection is cut


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """An HTTP server with a thread per connection.

    Args:
        core: `core.Core`.
        address: (host, port).
        timeout_seconds: Deadline of a request.
        max_request_bytes: Size of a body at most.
    """

    daemon_threads = True
    block_on_close = False  # idle keep-alive connections must not hold up a stop
    request_queue_size = 128

    def __init__(self, core, address, *, timeout_seconds, max_request_bytes):
        self.core, self.timeout_seconds = core, timeout_seconds
        self.max_request_bytes = max_request_bytes
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own looks the host's name up, which may hang

    def handle_error(self, request, client_address):
        """A client that went away needs no traceback."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Any  # the `Server` above

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "tfmmd-stand-in", ""
    disable_nagle_algorithm = True
    timeout = 60  # of an idle connection
    wbufsize = -1  # one packet for headers and body

    def do_GET(self):
        self._handle(self._get)

    def do_POST(self):
        self._handle(self._post)

    def log_message(self, *args):
        """Requests are not logged."""

    def _handle(self, method):
        try:
            status, body = 200, method()
        except ServingError as error:
            status, body = error.http_status, _error(error.message)
        except Exception as error:  # a fault of ours must not pass for an answer
            status, body = 500, _error(f"{type(error).__name__}: {first_line(error)}")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _post(self):
        body = self._body()
        match = self._match(_PREDICT)
        if match["method"].lower() != "predict":
            raise ServingError("UNIMPLEMENTED", f"The stand-in has no {match['method']}.")
        request = rest_json.parse(body)
        spec = _spec(match)
        spec.signature_name = request.get("signature_name", "")
        _, _, outputs = self.server.core.predict(
            spec, functools.partial(rest_json.inputs, request), Deadline(self.server.timeout_seconds)
        )
        return rest_json.answer(outputs, rows="instances" in request)

    def _get(self):
        match = self._match(_STATUS)
        if match["metadata"]:
            return _metadata(self.server.core.metadata(_spec(match)))
        response = self.server.core.status(_spec(match))
        return json_format.MessageToJson(
            response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        ).encode()

    def _match(self, pattern):
        path = urllib.parse.urlsplit(self.path).path
        match = re.fullmatch(pattern, path)
        if match is None:
            code = "INVALID_ARGUMENT" if path.startswith("/v1/") else "NOT_FOUND"
            raise ServingError(code, f"Malformed request: {self.command} {path}")
        return match

    def _body(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.close_connection = True
            raise ServingError("INVALID_ARGUMENT", "A request needs a Content-Length.")
        limit = self.server.max_request_bytes
        if int(length) > limit:
            self.close_connection = True
            self._discard(min(int(length), _DISCARDED * limit))
            raise ServingError(
                "RESOURCE_EXHAUSTED", f"A request has at most {limit} bytes. Received: {length}."
            )
        return self.rfile.read(int(length))

    def _discard(self, count):
        """Reads and drops: a client that is still sending would miss the answer."""
        while count > 0:
            chunk = self.rfile.read(min(count, 2**16))
            count = count - len(chunk) if chunk else 0


def _spec(match):
    spec = model_pb2.ModelSpec(name=urllib.parse.unquote(match["name"]))
    if match["version"]:
        if int(match["version"]) > _LARGEST_VERSION:
            raise ServingError(
                "INVALID_ARGUMENT", f"Failed to convert version: {match['version']} to numeric."
            )
        spec.version.value = int(match["version"])
    elif match["label"]:
        spec.version_label = urllib.parse.unquote(match["label"])
    return spec


def _metadata(response):
    """JSON of the metadata; the signatures are unpacked from their `Any`, as in TensorFlow Serving."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURES].Unpack(signatures)
    options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
    value = {
        "model_spec": json_format.MessageToDict(response.model_spec, **options),
        "metadata": {SIGNATURES: json_format.MessageToDict(signatures, **options)},
    }
    return json.dumps(value, indent=1).encode()


def _error(message):
    return orjson.dumps({"error": message})
