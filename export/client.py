"""A small client of the sample endpoints, for TensorFlow Serving and the stand-in alike.

    client = Client(grpc="127.0.0.1:8500", name="gmmn")        # or rest="http://127.0.0.1:8501"
    client.sample([1, 2, 3])                                   # float32 [3, ...], a row per seed
    client.decode(latent), client.encode(x), client.reconstruct(x)
"""

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
from export.session import DEFAULT
from tfmmd import checks


class Client:
    """Calls the signatures of served models.

    Args:
        grpc: Address `host:port`, or None.
        rest: Address `http://host:port` or `host:port`, or None. With both, gRPC is used.
        name: Model that the methods ask when no `name` is passed.
        version: Version number, or None for the newest.
        label: Version label such as `"stable"`, instead of a version.
        timeout: Seconds that a call may take.
        max_rows: Rows of one request; larger inputs are sent in parts.
    """

    def __init__(self, grpc=None, rest=None, *, name=None, version=None, label=None, timeout=30.0, max_rows=64):
        if grpc is None and rest is None:
            checks.fail("A client needs an address.", "grpc=None, rest=None", "Pass grpc='host:port'.")
        if version is not None and label is not None:
            checks.fail("A version is chosen once.", f"version={version}, label={label!r}", "Pass one of them.")
        self.name, self.max_rows = name, checks.positive_int("max_rows", max_rows)
        self._transport = _Grpc(grpc, timeout) if grpc else _Rest(rest, timeout)
        self._version, self._label = version, label

    def sample(self, seeds, *, name=None):
        """Samples by seed.

        Args:
            seeds: int64 `[n]`, one seed per row.
            name: Model; None is the client's.

        Returns:
            float32 array `[n, ...]`, row i of `seeds[i]` alone.

        Raises:
            ValueError: If a seed is outside int64 or there is none.
            ServingError: If the server refuses or is not there.
        """
        seeds = [checks.int64("seeds", seed) for seed in seeds]
        checks.not_empty("seeds", seeds)
        return self.predict({"seed": np.array(seeds, np.int64)}, "sample", name=name)["samples"]

    def decode(self, latent, *, name=None):
        """Codes `[n, k]` -> samples `[n, ...]`."""
        return self.predict({"latent": np.asarray(latent, np.float32)}, "decode", name=name)["samples"]

    def encode(self, x, *, name=None):
        """Data `[n, ...]` -> codes `[n, k]`, where the model has an encoder."""
        return self.predict({"x": np.asarray(x, np.float32)}, "encode", name=name)["latent"]

    def reconstruct(self, x, *, name=None):
        """Data `[n, ...]` -> reconstructions `[n, ...]`, where the model has an encoder."""
        return self.predict({"x": np.asarray(x, np.float32)}, "reconstruct", name=name)["reconstruction"]

    def predict(self, inputs, signature=DEFAULT, *, name=None):
        """Calls any signature.

        Args:
            inputs: Arrays `[n, ...]` by input name.
            signature: Name of the signature.
            name: Model; None is the client's.

        Returns:
            Arrays `[n, ...]` by output name.
        """
        rows = max(len(value) for value in inputs.values())
        parts = [
            self._transport.predict(
                self._spec(name), signature, {k: v[start : start + self.max_rows] for k, v in inputs.items()}
            )
            for start in range(0, max(rows, 1), self.max_rows)
        ]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def signatures(self, *, name=None):
        """Signature name -> (input names, output names)."""
        return self._transport.signatures(self._spec(name))

    def status(self, *, name=None):
        """Version number -> (state, error message)."""
        return self._transport.status(self._spec(name))

    def close(self):
        """Closes the connection."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _spec(self, name):
        name = name or self.name
        if not name:
            checks.fail("A call needs a model.", "name=None", "Pass name='...', here or to Client.")
        return name, self._version, self._label


class _Grpc:
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
        request = _fill(predict_pb2.PredictRequest(), spec)
        request.model_spec.signature_name = signature
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self._predictions.Predict, request)
        return {key: tf.make_ndarray(value) for key, value in response.outputs.items()}

    def signatures(self, spec):
        request = _fill(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURES]), spec)
        response = self._call(self._predictions.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURES].Unpack(found)
        return {k: (sorted(s.inputs), sorted(s.outputs)) for k, s in found.signature_def.items()}

    def status(self, spec):
        response = self._call(self._models.GetModelStatus, _fill(get_model_status_pb2.GetModelStatusRequest(), spec))
        name = get_model_status_pb2.ModelVersionStatus.State.Name
        return {
            entry.version: (name(entry.state), entry.status.error_message)
            for entry in response.model_version_status
        }

    def close(self):
        self._channel.close()


def _fill(request, spec):
    request.model_spec.name, version, label = spec
    if version is not None:
        request.model_spec.version.value = version
    elif label is not None:
        request.model_spec.version_label = label
    return request


class _Rest:
    def __init__(self, address, timeout):
        self._host = urllib.parse.urlsplit(address if "//" in address else f"//{address}").netloc
        self._timeout = timeout
        self._names = {}

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection(self._host, timeout=self._timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            status, content = response.status, response.read()
        except TimeoutError as error:
            raise ServingError("DEADLINE_EXCEEDED", f"{self._host}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ServingError("UNAVAILABLE", f"{self._host}: {error}") from error
        finally:
            connection.close()
        answer = _json(content, status)
        if status != 200:
            raise ServingError(code_of_http(status), answer.get("error", f"HTTP status {status}"))
        return answer

    def predict(self, spec, signature, inputs):
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
        found = self._call("GET", f"{_path(spec)}/metadata")["metadata"][SIGNATURES][SIGNATURES]
        return {k: (sorted(s["inputs"]), sorted(s["outputs"])) for k, s in found.items()}

    def status(self, spec):
        entries = self._call("GET", _path(spec))["model_version_status"]
        return {int(e["version"]): (e["state"], e["status"]["error_message"]) for e in entries}

    def close(self):
        """Nothing is held between calls."""


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
