"""Limits of the stand-in: rows, bytes, queue, deadlines, a stop while requests are inside."""

import concurrent.futures
import http.client
import json
import socket
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from export import server
from export.client import Client
from export.errors import ServingError
from export.limits import Admission, Deadline
from export.transports import Grpc, Rest
from tests.export.conftest import NAME
from tests.harness import assert_same_rows

LONG = 20_000  # matrix products: seconds
SHORT = 300

pytestmark = pytest.mark.serving


def _code(call):
    with pytest.raises(ServingError) as caught:
        call()
    return caught.value.code


def _clients(handle, **options):
    return [
        Client(grpc=handle.grpc_address, **options),
        Client(rest=handle.rest_address, **options),
    ]


def _products(count):
    return {"products": np.array([count], np.int64)}


def _inside(handle, number):
    """Waits until so many requests are in the server."""
    end = time.monotonic() + 10
    while handle.load != number and time.monotonic() < end:
        time.sleep(0.01)
    assert handle.load == number


@pytest.mark.parametrize("rows", [65, 640])
def test_more_rows_than_the_largest_batch_exhaust_the_request(stand_in, rows):
    seeds, spec = {"seed": np.arange(rows)}, (NAME, None, None)
    for wire in (Grpc(stand_in.grpc_address, 30), Rest(stand_in.rest_address, 30)):
        assert _code(lambda wire=wire: wire.predict(spec, "sample", seeds)) == "RESOURCE_EXHAUSTED"
        assert wire.predict(spec, "sample", {"seed": np.array([1])})["samples"].shape[0] == 1


def test_the_client_sends_as_many_rows_as_the_server_takes(written, model):
    with server.running(written, max_rows=2) as handle:
        for client in _clients(handle, name=NAME):
            assert_same_rows(client.sample(range(5)), model.sample(5, seed=0).numpy())


def test_the_client_understands_the_row_limit_of_tensorflow_serving(monkeypatch):
    def predict(self, spec, signature, inputs):
        if len(inputs["seed"]) > 2:
            message = "Task size 5 is larger than maximum input batch size 2"
            raise ServingError("INVALID_ARGUMENT", message)
        return {"samples": inputs["seed"]}

    monkeypatch.setattr(Grpc, "predict", predict)
    np.testing.assert_array_equal(Client(grpc="127.0.0.1:1", name=NAME).sample(range(5)), range(5))


def test_a_tensor_that_claims_to_be_large_is_refused_before_it_is_made(stand_in):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    request.inputs["seed"].CopyFrom(tf.make_tensor_proto(np.int64(0), shape=[2**40]))
    with grpc.insecure_channel(stand_in.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=5)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.tensor_shape.dim.add(size=-3),
        lambda t: setattr(t, "tensor_content", b"12345"),
        lambda t: setattr(t, "dtype", 99),
        lambda t: (t.ClearField("tensor_content"), t.int64_val.extend(range(9))),
        lambda t: t.tensor_shape.Clear(),
    ],
    ids=["negative size", "bytes for no shape", "unknown dtype", "too many values", "no shape"],
)
def test_a_damaged_tensor_is_invalid(stand_in, damage):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    request.inputs["seed"].CopyFrom(tf.make_tensor_proto(np.arange(2)))
    damage(request.inputs["seed"])
    with grpc.insecure_channel(stand_in.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_request_of_too_many_bytes_is_exhausted_and_the_server_stays(written):
    with server.running(written, max_request_bytes=10_000) as handle:
        for client in _clients(handle, name=NAME, max_rows=10**6):
            for size in (100, 500):
                codes = np.ones((64, size))
                assert _code(lambda client=client, z=codes: client.decode(z)) == "RESOURCE_EXHAUSTED"
            assert client.sample([1]).shape[0] == 1


def test_a_full_queue_turns_the_next_request_away_and_keeps_the_others(slow_models):
    with server.running(slow_models, running=1, waiting=1) as handle:
        clients = _clients(handle, name="slow")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            inside = [pool.submit(clients[0].predict, _products(LONG // 20)) for _ in range(2)]
            _inside(handle, 2)
            codes = [_code(lambda client=client: client.predict(_products(1))) for client in clients]
            assert codes == ["RESOURCE_EXHAUSTED"] * 2
            assert all(np.isfinite(request.result()["trace"]).all() for request in inside)


def test_a_grpc_deadline_ends_the_request_and_frees_its_place(slow_models):
    with server.running(slow_models, running=1, waiting=1) as handle:
        client = Client(grpc=handle.grpc_address, name="slow", timeout=0.3)
        assert _code(lambda: client.predict(_products(10 * LONG))) == "DEADLINE_EXCEEDED"
        patient = Client(grpc=handle.grpc_address, name="slow", timeout=10)
        assert patient.predict(_products(1))["trace"].shape == (1,)


def test_a_rest_deadline_is_a_504(slow_models):
    with server.running(slow_models, running=1, rest_timeout=0.3) as handle:
        client = Client(rest=handle.rest_address, name="slow")
        assert _code(lambda: client.predict(_products(10 * LONG))) == "DEADLINE_EXCEEDED"
        assert client.predict(_products(1))["trace"].shape == (1,)


def test_a_client_that_goes_away_leaves_the_server_as_it_was(slow_models):
    with server.running(slow_models, running=1, waiting=0) as handle:
        host, port = handle.rest_address.removeprefix("http://").split(":")
        body = json.dumps({"instances": [SHORT]}).encode()
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /v1/models/slow:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            _inside(handle, 1)
        _inside(handle, 0)
        for client in _clients(handle, name="slow"):
            assert client.predict(_products(1))["trace"].shape == (1,)


def test_a_body_that_ends_early_does_not_hold_the_server(stand_in):
    host, port = stand_in.rest_address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /v1/models/{NAME}:predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n{{".encode()
        )
    assert Client(rest=stand_in.rest_address, name=NAME).sample([1]).shape[0] == 1


def test_a_body_without_a_length_is_invalid(stand_in):
    connection = http.client.HTTPConnection(stand_in.rest_address.removeprefix("http://"))
    connection.putrequest("POST", f"/v1/models/{NAME}:predict")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_a_stop_finishes_the_request_inside_and_turns_new_ones_away(slow_models):
    with server.running(slow_models) as handle:
        client = Client(grpc=handle.grpc_address, name="slow")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            inside = pool.submit(client.predict, _products(SHORT))
            _inside(handle, 1)
            handle.stop(grace=20)
            assert np.isfinite(inside.result()["trace"]).all()
        assert _code(lambda: client.predict(_products(1))) == "UNAVAILABLE"


def test_admission_counts_requests_in_and_out():
    admission = Admission(1, 0)
    for _ in range(3):
        with admission.place(Deadline(None)):
            assert admission.load == 1
    assert admission.load == 0


def test_a_request_that_waits_past_its_deadline_is_told_so():
    admission = Admission(1, 1)
    release = threading.Event()

    def hold():
        with admission.place(Deadline(None)):
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        while admission.load == 0:
            time.sleep(0.001)
        with pytest.raises(ServingError, match="waited"), admission.place(Deadline(0.05)):
            pass
    finally:
        release.set()
        thread.join()
