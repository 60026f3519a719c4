"""What any server must do on the wire, official or stand-in."""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from export import reference, verify
from export.errors import ServingError
from tests.export import servers
from tests.export.conftest import NAME
from tests.harness import assert_same_rows

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module", params=servers.ALL)
def served(request, written):
    with servers.run(request.param, written, NAME) as served:
        yield served


@pytest.fixture(params=["grpc", "rest"])
def transport(request):
    return request.param


@pytest.fixture
def client(served, transport):
    with served.client(transport) as client:
        yield client


@pytest.fixture
def answers(served):
    """What the Keras model answered when the version was written."""
    return reference.read(servers.newest(served))


def _same(served, actual, expected):
    if served.exact:
        np.testing.assert_array_equal(actual, expected)
    else:
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def post(served):
    """Function body -> (HTTP status, parsed answer)."""
    if "rest" not in served.addresses:
        pytest.skip(f"{served.kind}: no rest address")

    def send(body, path=None):
        path = path or f"/v1/models/{served.model_dir.name}:predict"
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(served.addresses["rest"] + path, body, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return send


# -- answers -----------------------------------------------------------------------------------------------


def test_samples_equal_those_of_the_keras_model(served, client, answers):
    inputs, outputs = answers["sample"]
    _same(served, client.sample(inputs["seed"]), outputs["samples"])


def test_decode_equals_the_keras_model(served, client, answers):
    inputs, outputs = answers["decode"]
    _same(served, client.decode(inputs["latent"]), outputs["samples"])


def test_a_sample_is_the_same_alone_and_among_64(client):
    many = client.sample(range(64))
    assert_same_rows(client.sample([17]), many[17:18])


def test_a_sample_is_the_same_beside_padding(client):
    assert_same_rows(client.sample([5, 0, 0, 0])[:1], client.sample([5]))


def test_seeds_at_both_ends_of_int64_are_served(client):
    ends = client.sample([-(2**63), 2**63 - 1])
    assert np.isfinite(ends).all() and not np.array_equal(ends[0], ends[1])


def test_samples_are_float32(client):
    assert client.sample([1]).dtype == np.float32


def test_the_default_signature_is_sample(client):
    seeds = np.arange(3, dtype=np.int64)
    np.testing.assert_array_equal(client.predict({"seed": seeds})["samples"], client.sample(seeds))


def test_more_rows_than_a_request_may_have_are_sent_in_parts(served, client):
    assert client.sample(range(150)).shape[0] == 150


def test_metadata_names_inputs_and_outputs(client):
    signatures = client.signatures()
    assert signatures["sample"] == (["seed"], ["samples"])
    assert signatures["decode"] == (["latent"], ["samples"])


def test_the_newest_version_is_available(served, client):
    assert client.status()[int(servers.newest(served).name)] == ("AVAILABLE", "")


def test_a_version_can_be_asked_for(served, client, transport):
    version = int(servers.newest(served).name)
    with served.client(transport, version=version) as pinned:
        np.testing.assert_array_equal(pinned.sample([1]), client.sample([1]))


def test_verify_passes_over_the_wire(served, transport):
    served.client(transport).close()  # skips where there is no such address
    report = verify.verify(servers.newest(served), url=served.addresses[transport])
    assert report.passed, verify.text(report)


def test_row_form_takes_objects_and_plain_values(post):
    status, named = post({"instances": [{"seed": 1}, {"seed": 2}]})
    assert (status, len(named["predictions"])) == (200, 2)
    assert post({"instances": [1, 2]}) == (200, named)


def test_column_form_takes_an_object_and_a_plain_list(post):
    status, named = post({"signature_name": "sample", "inputs": {"seed": [1, 2]}})
    assert (status, len(named["outputs"])) == (200, 2)
    assert post({"inputs": [1, 2]}) == (200, named)


# -- refusals ----------------------------------------------------------------------------------------------


def _code(call):
    with pytest.raises(ServingError) as caught:
        call()
    return caught.value.code


def test_an_unknown_model_is_not_found(client):
    assert _code(lambda: client.sample([1], name="nobody")) == "NOT_FOUND"


def test_an_unknown_version_is_not_found(served, transport):
    with served.client(transport, version=987654321) as pinned:
        assert _code(lambda: pinned.sample([1])) == "NOT_FOUND"


def test_an_unknown_signature_is_refused(client):
    call = lambda: client.predict({"seed": np.zeros(1, np.int64)}, "nothing")  # noqa: E731
    assert _code(call) in ("FAILED_PRECONDITION", "INVALID_ARGUMENT")  # REST has one status for both


@pytest.mark.parametrize(
    "inputs",
    [
        {"sead": np.zeros(1, np.int64)},
        {"seed": np.zeros(1, np.int64), "more": np.zeros(1, np.int64)},
        {"seed": np.zeros(1, np.float32)},
        {"seed": np.zeros((1, 1), np.int64)},
    ],
    ids=["wrong name", "extra input", "wrong dtype", "wrong rank"],
)
def test_inputs_that_do_not_fit_are_invalid(client, inputs):
    assert _code(lambda: client.predict(inputs)) == "INVALID_ARGUMENT"


def test_a_wrong_code_size_is_invalid(client):
    assert _code(lambda: client.decode(np.zeros((2, 99)))) == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        {},
        {"instances": []},
        {"instances": 3},
        {"instances": [1], "inputs": [1]},
        {"instances": [{"seed": 1}, 2]},
        {"instances": [[1], [1, 2]]},
        {"instances": [1.5]},
        {"instances": ["1"]},
        {"instances": [True]},
        {"instances": [None]},
        {"instances": [{"b64": "MQ=="}]},
        {"instances": [9223372036854775808]},
        {"instances": [-9223372036854775809]},
        {"instances": [10**30]},
        {"inputs": {"seed": [[1]]}},
        {"inputs": {"other": [1]}},
        {"signature_name": 3, "instances": [1]},
        {"signature_name": "nothing", "instances": [1]},
    ],
    ids=str,
)
def test_a_malformed_rest_request_is_a_400_with_a_message(post, body):
    status, answer = post(body)
    assert status == 400 and answer["error"]


def test_a_server_answers_after_bad_requests(post, client):
    post(b"{")
    assert client.sample([1]).shape[0] == 1
