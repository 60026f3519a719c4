"""The stand-in's gRPC side: `PredictionService` and `ModelService` of the official protos."""

import functools
from concurrent import futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from export.core import SIGNATURES
from export.errors import ServingError, first_line
from export.limits import Deadline


def _answer(method):
    """Turns a `ServingError` into the status of the call."""

    @functools.wraps(method)
    def handler(self, request, context):
        try:
            return method(self, request, context)
        except ServingError as error:
            context.abort(grpc.StatusCode[error.code], error.message)
        except Exception as error:  # a fault of ours must not pass for an answer
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {first_line(error)}")

    return handler


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods are UNIMPLEMENTED.

    Args:
        core: `core.Core`.
    """

    def __init__(self, core):
        self._core = core

    @_answer
    def Predict(self, request, context):
        left = context.time_remaining()
        version, key, outputs = self._core.predict_protos(request, Deadline(left))
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = request.model_spec.name, key
        response.model_spec.version.value = version
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    @_answer
    def GetModelMetadata(self, request, context):
        if list(request.metadata_field) != [SIGNATURES]:
            raise ServingError("INVALID_ARGUMENT", f"GetModelMetadataRequest must ask for {SIGNATURES!r}")
        return self._core.metadata(request.model_spec)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; HandleReloadConfigRequest is UNIMPLEMENTED: the folder is polled instead.

    Args:
        core: `core.Core`.
    """

    def __init__(self, core):
        self._core = core

    @_answer
    def GetModelStatus(self, request, context):
        return self._core.status(request.model_spec)


def make_server(core, address, *, max_threads, max_request_bytes):
    """A `grpc.Server` bound to an address, not yet started, and its port.

    Raises:
        OSError: If the port is in use.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(max_threads, thread_name_prefix="grpc"),
        options=[
            ("grpc.so_reuseport", 0),  # else a second server would share the port without a word
            ("grpc.max_receive_message_length", max_request_bytes),
            ("grpc.max_send_message_length", -1),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(core), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(core), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot bind {address}") from error
    if port == 0:
        raise OSError(f"cannot bind {address}")
    return server, port
