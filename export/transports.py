"""The two wires of the client: TensorFlow Serving's gRPC and REST."""

import collections
import contextlib
import http.client
import urllib.parse

import grpc
import numpy as np
import orjson
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from export.core import SIGNATURES
from export.errors import ServingError, code_of_http


class Grpc:
    """Calls over gRPC.

    Args:
        address: `host:port`.
        timeout: Seconds of a call.
    """

    def __init__(self, address, timeout):
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(address, options=options)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._timeout = timeout

    def _call(self, method, request):
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise ServingError(error.code().name, error.details()) from error

    def predict(self, spec, signature, inputs):
        """Arrays by output name for arrays by input name."""
        request = _fill(predict_pb2.PredictRequest(), spec)
        request.model_spec.signature_name = signature
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self._predictions.Predict, request)
        return {key: tf.make_ndarray(value) for key, value in response.outputs.items()}

    def signatures(self, spec):
        """Signature name -> (input names, output names)."""
        request = _fill(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURES]), spec)
        response = self._call(self._predictions.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURES].Unpack(found)
        return {k: (sorted(s.inputs), sorted(s.outputs)) for k, s in found.signature_def.items()}

    def status(self, spec):
        """Version number -> (state, error message)."""
        response = self._call(
            self._models.GetModelStatus, _fill(get_model_status_pb2.GetModelStatusRequest(), spec)
        )
        name = get_model_status_pb2.ModelVersionStatus.State.Name
        return {
            entry.version: (name(entry.state), entry.status.error_message)
            for entry in response.model_version_status
        }

    def close(self):
        """Closes the channel."""
        self._channel.close()


def _fill(request, spec):
    request.model_spec.name, version, label = spec
    if version is not None:
        request.model_spec.version.value = version
    elif label is not None:
        request.model_spec.version_label = label
    return request


class Rest:
    """Calls over REST, in the column form.

    Args:
        address: `http://host:port` or `host:port`.
        timeout: Seconds of a call.
    """

    def __init__(self, address, timeout):
        self._host = urllib.parse.urlsplit(address if "//" in address else f"//{address}").netloc
        self._timeout = timeout
        self._names, self._idle = {}, collections.deque()

    def _call(self, method, path, body=None):
        try:
            status, content = self._exchange(method, path, body)
        except TimeoutError as error:
            raise ServingError("DEADLINE_EXCEEDED", f"{self._host}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ServingError("UNAVAILABLE", f"{self._host}: {error}") from error
        answer = _json(content, status)
        if status != 200:
            raise ServingError(code_of_http(status), answer.get("error", f"HTTP status {status}"))
        return answer

    def _exchange(self, method, path, body):
        """Status and content, over a kept connection where the server has not closed it meanwhile."""
        with contextlib.suppress(IndexError, ConnectionError):
            return self._send(self._idle.pop(), method, path, body)
        return self._send(http.client.HTTPConnection(self._host, timeout=self._timeout), method, path, body)

    def _send(self, connection, method, path, body):
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            answer = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def predict(self, spec, signature, inputs):
        """Arrays by output name for arrays by input name."""
        body = orjson.dumps(
            {"signature_name": signature, "inputs": {k: np.ascontiguousarray(v) for k, v in inputs.items()}},
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        outputs = self._call("POST", f"{_path(spec)}:predict", body)["outputs"]
        if not isinstance(outputs, dict):  # one output comes without its name
            outputs = {self._output_name(spec, signature): outputs}
        return {key: _floats(value) for key, value in outputs.items()}

    def _output_name(self, spec, signature):
        key = (*spec, signature)
        if key not in self._names:
            self._names[key] = self.signatures(spec)[signature][1][0]
        return self._names[key]

    def signatures(self, spec):
        """Signature name -> (input names, output names)."""
        found = self._call("GET", f"{_path(spec)}/metadata")["metadata"][SIGNATURES][SIGNATURES]
        return {k: (sorted(s["inputs"]), sorted(s["outputs"])) for k, s in found.items()}

    def status(self, spec):
        """Version number -> (state, error message)."""
        entries = self._call("GET", _path(spec))["model_version_status"]
        return {int(e["version"]): (e["state"], e["status"]["error_message"]) for e in entries}

    def close(self):
        """Closes the kept connections."""
        while self._idle:
            self._idle.pop().close()


def _json(content, status):
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ServingError(code_of_http(status), f"HTTP status {status} without JSON") from error


def _floats(value):
    value = np.asarray(value)
    return value.astype(np.float32) if value.dtype == np.float64 else value


def _path(spec):
    name, version, label = spec
    path = f"/v1/models/{urllib.parse.quote(name, safe='')}"
    if version is not None:
        return f"{path}/versions/{version}"
    return f"{path}/labels/{urllib.parse.quote(label, safe='')}" if label is not None else path
