import base64
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from export import rest_json
from export.errors import ServingError

MAX_ROWS = 8


def _signature(**inputs):
    signature = meta_graph_pb2.SignatureDef()
    for name, (dtype, shape) in inputs.items():
        signature.inputs[name].dtype = tf.dtypes.as_dtype(dtype).as_datatype_enum
        for size in shape:
            signature.inputs[name].tensor_shape.dim.add(size=size)
    return signature


TEXT = _signature(text=("string", [-1]))
PAIR = _signature(a=("float32", [-1, 2]), b=("int32", [-1]))


def _inputs(signature, **request):
    return rest_json.inputs(rest_json.parse(json.dumps(request)), signature, MAX_ROWS)


def test_b64_objects_are_bytes():
    raw = bytes(range(256))
    (text,) = _inputs(TEXT, instances=[{"b64": base64.b64encode(raw).decode()}])["text"]
    assert text == raw


def test_b64_works_in_the_column_form():
    assert list(_inputs(TEXT, inputs=[{"b64": "MQ=="}, "x"])["text"]) == [b"1", b"x"]


def test_b64_works_under_a_name():
    assert list(_inputs(TEXT, instances=[{"text": {"b64": "MQ=="}}])["text"]) == [b"1"]


@pytest.mark.parametrize("value", [{"b64": "M"}, {"b64": "$$$$"}, 3])
def test_what_is_no_string_is_refused(value):
    with pytest.raises(ServingError):
        _inputs(TEXT, inputs={"text": [value]})


def test_bytes_of_an_output_ending_in_bytes_come_back_as_b64():
    values = np.array([b"\x00\xff"], object)
    answer = json.loads(rest_json.answer({"image_bytes": values}, rows=True))
    assert answer == {"predictions": [{"b64": "AP8="}]}


def test_other_strings_come_back_as_text():
    assert json.loads(rest_json.answer({"text": np.array([b"hi"], object)}, rows=True)) == {
        "predictions": ["hi"]
    }


def test_rows_of_several_inputs_are_objects():
    arrays = _inputs(PAIR, instances=[{"a": [1, 2], "b": 3}, {"a": [4, 5.5], "b": 6}])
    np.testing.assert_array_equal(arrays["a"], np.array([[1, 2], [4, 5.5]], np.float32))
    np.testing.assert_array_equal(arrays["b"], np.array([3, 6], np.int32))


@pytest.mark.parametrize(
    "request_",
    [
        {"instances": [[1, 2]]},
        {"instances": [{"a": [1, 2]}]},
        {"inputs": {"a": [[1, 2]], "b": [1, 2]}},
        {"inputs": {"a": [[1, True]], "b": [1]}},
        {"inputs": {"a": [[1, 2]], "b": [2**31]}},
        {"inputs": {"a": [[1, 1e39]], "b": [1]}},
        {"inputs": {"a": [[1, -1e39]], "b": [1]}},
        {"inputs": [[1, 2]]},
    ],
    ids=str,
)
def test_several_inputs_that_do_not_fit_are_invalid(request_):
    with pytest.raises(ServingError) as caught:
        _inputs(PAIR, **request_)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_rows_of_several_outputs_are_objects():
    answer = rest_json.answer({"a": np.array([1.5, 2.5]), "b": np.array([3, 4])}, rows=True)
    assert json.loads(answer) == {"predictions": [{"a": 1.5, "b": 3}, {"a": 2.5, "b": 4}]}


def test_columns_of_several_outputs_are_an_object():
    answer = rest_json.answer({"a": np.array([1.5]), "b": np.array([3])}, rows=False)
    assert json.loads(answer) == {"outputs": {"a": [1.5], "b": [3]}}


def test_float32_survives_the_way_through_json():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    answer = json.loads(rest_json.answer({"x": values}, rows=False))["outputs"]
    np.testing.assert_array_equal(np.array(answer, np.float32), values)


@pytest.mark.parametrize("outputs", [{"x": [np.nan, np.inf]}, {"x": [np.nan, np.inf], "y": [0.0, 1.0]}])
@pytest.mark.parametrize("rows", [True, False])
def test_nan_and_infinity_are_written_as_such(outputs, rows):
    answer = rest_json.answer({name: np.array(v, np.float32) for name, v in outputs.items()}, rows=rows)
    assert b"NaN" in answer and b"Infinity" in answer


def test_too_many_rows_exhaust_the_request():
    with pytest.raises(ServingError) as caught:
        _inputs(TEXT, instances=["x"] * (MAX_ROWS + 1))
    assert caught.value.code == "RESOURCE_EXHAUSTED"
