"""Versions in a running stand-in: new ones, broken ones, removed ones, labels and policies."""

import concurrent.futures
import json
import shutil
import threading
import time
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from export import server, serving_files, versions, warmup
from export.client import Client
from export.errors import ServingError
from export.session import LoadedModel
from tests import systems
from tests.export.conftest import NAME

pytestmark = pytest.mark.serving

LATEST_ONE = "model_version_policy {{ latest {{ num_versions: 1 }} }}"


def _configure(models, policy, labels=""):
    (models / "models.config").write_text(
        f"model_config_list {{ config {{ name: '{NAME}' base_path: '/models/{NAME}' "
        f"model_platform: 'tensorflow' {policy} {labels} }} }}"
    )


@pytest.fixture
def handle(models):
    """A stand-in that looks at the disk only when told."""
    with server.running(models, poll_seconds=1000) as handle:
        yield handle


@pytest.fixture
def client(handle):
    with Client(grpc=handle.grpc_address, rest=handle.rest_address, name=NAME) as client:
        yield client


def _available(client):
    return [version for version, (state, _) in client.status().items() if state == "AVAILABLE"]


def _other_model(path, weights=None):
    """Writes a version of another model of the same shape, with its warm-up records."""
    model = systems.gmmn()
    if weights is not None:
        model.generator.set_weights([np.full_like(w, weights) for w in model.generator.get_weights()])
    model.export(path)
    loaded = LoadedModel(path)
    warmup.write(path, loaded.signatures, NAME, (1, 4))
    loaded.close()


# -- new versions ------------------------------------------------------------------------------------------


def test_a_new_version_takes_over_and_the_old_one_stays_as_stable(models, handle, client):
    before = client.sample([1])
    _other_model(models / NAME / "2")
    serving_files.write(models)
    handle.refresh()
    assert _available(client) == [2, 1]
    assert not np.array_equal(client.sample([1]), before)
    stable = Client(grpc=handle.grpc_address, name=NAME, label="stable")
    np.testing.assert_array_equal(stable.sample([1]), before)


def test_the_watcher_finds_a_new_version_by_itself(models, new_version):
    with server.running(models, poll_seconds=0.05) as handle:
        client = Client(grpc=handle.grpc_address, name=NAME)
        new_version(2)
        end = time.monotonic() + 20
        while 2 not in _available(client) and time.monotonic() < end:
            time.sleep(0.05)
        assert _available(client)[0] == 2


def test_without_models_config_only_the_newest_is_kept(models, new_version):
    (models / "models.config").unlink()
    new_version(2)
    with server.running(models) as handle:
        assert _available(Client(grpc=handle.grpc_address, name=NAME)) == [2]


def test_a_specific_policy_serves_just_those(models, handle, client, new_version):
    new_version(2), new_version(3)
    _configure(models, "model_version_policy { specific { versions: 1 versions: 3 } }")
    handle.refresh()
    assert _available(client) == [3, 1]


def test_an_all_policy_serves_every_version(models, handle, client, new_version):
    new_version(2), new_version(3)
    _configure(models, "model_version_policy { all {} }")
    handle.refresh()
    assert _available(client) == [3, 2, 1]


def test_a_version_switched_off_ends_and_is_not_found(models, handle, client, new_version):
    new_version(2)
    _configure(models, LATEST_ONE.format())
    handle.refresh()
    assert client.status() == {2: ("AVAILABLE", ""), 1: ("END", "")}
    with pytest.raises(ServingError) as caught:
        Client(grpc=handle.grpc_address, name=NAME, version=1).sample([1])
    assert caught.value.code == "NOT_FOUND"


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_an_unknown_label_is_not_found(handle, transport):
    address = {"grpc": handle.grpc_address} if transport == "grpc" else {"rest": handle.rest_address}
    with pytest.raises(ServingError) as caught:
        Client(**address, name=NAME, label="nobody").sample([1])
    assert caught.value.code == "NOT_FOUND"


def test_status_by_label_tells_its_version(handle):
    url = f"{handle.rest_address}/v1/models/{NAME}/labels/canary"
    with urllib.request.urlopen(url, timeout=10) as answer:
        (entry,) = json.load(answer)["model_version_status"]
    assert entry == {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }


def test_a_new_model_in_the_folder_is_served(models, handle, client):
    shutil.copytree(models / NAME, models / "second")
    handle.refresh()
    np.testing.assert_array_equal(client.sample([1], name="second"), client.sample([1]))


def test_a_broken_models_config_is_passed_over(models, handle, client):
    (models / "models.config").write_text("model_config_list {")
    handle.refresh()
    assert client.sample([1]).shape[0] == 1


# -- broken versions ---------------------------------------------------------------------------------------


def _truncate(version):
    path = version / "saved_model.pb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(version):
    (version / "saved_model.pb").write_bytes(b"")


def _drop_variables(version):
    shutil.rmtree(version / "variables")


def _half_copied(version):
    path = version / "variables" / "variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:100])


def _no_graph(version):
    (version / "saved_model.pb").unlink()


def _wrong_warm_up_signature(version):
    (request, *_) = warmup.read(version)
    request.model_spec.signature_name = "nothing"
    _write_records(version, [request])


def _wrong_warm_up_input(version):
    (request, *_) = warmup.read(version)
    request.inputs.clear()
    _write_records(version, [request])


def _damaged_warm_up(version):
    (version / warmup.PATH).write_bytes(b"no record")


def _write_records(version, requests):
    with tf.io.TFRecordWriter(str(version / warmup.PATH)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


DAMAGES = {
    _truncate: "does not load",
    _empty: "does not load",
    _drop_variables: "does not load",
    _half_copied: "does not load",
    _no_graph: "does not load",
    _wrong_warm_up_signature: 'Serving signature key "nothing" not found',
    _wrong_warm_up_input: "Warm-up of signature",
    _damaged_warm_up: "cannot be read",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_broken_version_is_refused_and_the_one_before_keeps_serving(handle, client, new_version, damage):
    before = client.sample([1])
    damage(new_version(2))
    handle.refresh()
    states = client.status()
    assert states[1] == ("AVAILABLE", "") and states[2][0] == "END" and DAMAGES[damage] in states[2][1]
    for transport in ("grpc", "rest"):
        np.testing.assert_array_equal(client.sample([1], transport=transport), before)


def test_a_version_with_nan_weights_is_refused(models, handle, client):
    _other_model(models / NAME / "2", weights=np.nan)
    handle.refresh()
    state, message = client.status()[2]
    assert state == "END" and "not finite" in message
    assert np.isfinite(client.sample([1])).all()


def test_a_broken_version_that_is_mended_is_served(models, handle, client, new_version):
    version = new_version(2)
    _truncate(version)
    handle.refresh()
    assert _available(client) == [1]
    shutil.copy(models / NAME / "1" / "saved_model.pb", version / "saved_model.pb")
    handle.refresh()
    assert _available(client)[0] == 2


def test_a_version_removed_while_it_serves_gives_way_to_the_one_before(models, handle, client, new_version):
    new_version(2)
    _configure(models, LATEST_ONE.format())
    handle.refresh()
    shutil.rmtree(models / NAME / "2")
    handle.refresh()
    assert _available(client) == [1]


def test_the_last_version_keeps_serving_after_its_folder_is_removed(models, handle, client):
    shutil.rmtree(models / NAME / "1")
    handle.refresh()
    assert client.sample([1]).shape[0] == 1


def test_a_broken_newest_version_at_the_start_leaves_the_one_before(models, new_version):
    _truncate(new_version(2))
    with server.running(models) as handle:
        assert _available(Client(grpc=handle.grpc_address, name=NAME)) == [1]


def test_a_server_without_a_version_that_loads_does_not_start(models):
    _truncate(models / NAME / "1")
    with pytest.raises(ServingError, match="No version loads") as caught, server.running(models):
        pass
    assert caught.value.code == "FAILED_PRECONDITION"


# -- under load --------------------------------------------------------------------------------------------


def test_no_request_fails_while_versions_flip(models, handle, new_version):
    _configure(models, LATEST_ONE.format())
    expected = Client(grpc=handle.grpc_address, name=NAME).sample([1])
    stop = threading.Event()

    def ask(transport):
        count = 0
        client = Client(grpc=handle.grpc_address, rest=handle.rest_address, name=NAME)
        while not stop.is_set():
            np.testing.assert_array_equal(client.sample([1], transport=transport), expected)
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, transport) for transport in ("grpc", "rest") * 2]
        for number in range(2, 6):
            new_version(number)
            handle.refresh()
        stop.set()
        assert all(request.result() > 0 for request in asking)


def test_a_request_inside_finishes_on_the_version_it_began_with(slow_models):
    with server.running(slow_models, poll_seconds=1000) as handle:
        client = Client(grpc=handle.grpc_address, name="slow")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            inside = pool.submit(client.predict, {"products": np.array([1000])})
            while handle.load == 0:
                time.sleep(0.005)
            shutil.copytree(slow_models / "slow" / "1", slow_models / "slow" / "2")
            handle.refresh()
            assert versions.numbers(slow_models / "slow") == [1, 2]
            assert client.status() == {2: ("AVAILABLE", ""), 1: ("END", "")}
            assert np.isfinite(inside.result()["trace"]).all()


def test_the_session_of_a_version_is_freed_once_its_last_request_is_done(models, monkeypatch, new_version):
    closed = []
    original = LoadedModel.close
    monkeypatch.setattr(LoadedModel, "close", lambda self: (closed.append(self.path.name), original(self)))
    _configure(models, LATEST_ONE.format())
    with server.running(models, poll_seconds=1000) as handle:
        new_version(2)
        handle.refresh()
        assert closed == ["1"]
    assert closed == ["1", "2"]
