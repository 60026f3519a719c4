"""Workers meet, agree, and end together; on loopback, in threads, without TensorFlow's collectives."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from trainers import strategies, workers

CONFIG = {"system": "gmmn", "seed": 0, "settings": {"steps": 8, "hidden": (16,)}}
TWO = {"worker": ["127.0.0.1:12345", "127.0.0.1:12346"]}
SLURM = {
    "SLURM_JOB_ID": "20007",
    "SLURM_PROCID": "2",
    "SLURM_STEP_NODELIST": "gpu[9-10]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}


def addresses(count):
    """Free addresses on loopback."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = tuple(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)
    for server in servers:
        server.close()
    return found


def meet_all(configs, timeout=10.0, where=None):
    """What `meet` gives every worker: a line or an exception."""
    where = where or addresses(len(configs))

    def one(index):
        try:
            return workers.meet(workers.Cluster(where, index), configs[index], timeout)
        except (ValueError, workers.WorkerLost) as error:
            return error

    with ThreadPoolExecutor(len(configs)) as pool:
        return list(pool.map(one, range(len(configs))))


def watched(lines):
    """Messages with which workers would end their process, by index; watching has begun."""
    ends = {}
    for index, line in enumerate(lines):
        line.leave = lambda message, index=index: ends.setdefault(index, message)
        line.watch()
    return ends


def wait_for(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("count", [2, 4])
def test_workers_with_one_config_meet(count):
    lines = meet_all([CONFIG] * count)
    assert [line.is_chief for line in lines] == [True] + [False] * (count - 1)
    for line in lines:
        line.hang_up()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "worker 1 with seed=1 (chief: 0)"),
        ({"settings": {"steps": 9, "hidden": [16]}}, "steps=9 (chief: 8)"),
    ],
)
def test_workers_with_different_configs_all_say_what_differs(change, said):
    for error in meet_all([CONFIG, {**CONFIG, **change}, CONFIG]):
        assert isinstance(error, ValueError) and "same command" in str(error) and said in str(error)


def test_a_worker_that_does_not_come_is_named_in_bounded_time():
    where, began = addresses(2), time.monotonic()
    with pytest.raises(workers.WorkerLost, match=f"nothing from worker 1 .{where[1]}"):
        workers.meet(workers.Cluster(where, 0), CONFIG, timeout=0.3)
    with pytest.raises(workers.WorkerLost, match=f"nothing from worker 0 .{where[0]}"):
        workers.meet(workers.Cluster(where, 1), CONFIG, timeout=0.3)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("index", [0, 1])
def test_a_port_in_use_is_refused(index):
    where = addresses(2)
    host, _, port = where[index].rpartition(":")
    with socket.create_server((host, int(port))), pytest.raises(ValueError, match="port must be free"):
        workers.meet(workers.Cluster(where, index), CONFIG, timeout=0.3)


def test_an_index_that_two_workers_have_is_refused():
    where = addresses(3)
    twice = [workers.Cluster(where, i) for i in (0, 1)]
    with ThreadPoolExecutor(3) as pool:
        chief = pool.submit(workers.meet, twice[0], CONFIG, 10.0)
        first = socket.create_connection(_retry(where[0]))
        second = socket.create_connection(_retry(where[0]))
        for caller in (first, second):
            caller.sendall(b'{"worker": 1}\n')
        with pytest.raises(ValueError, match="index 1 twice"):
            chief.result()
    first.close(), second.close()


def _retry(address):
    """The address as a pair, once somebody listens there."""
    host, _, port = address.rpartition(":")
    for _ in range(500):
        try:
            socket.create_connection((host, int(port))).close()
            break
        except OSError:
            time.sleep(0.01)
    return host, int(port)


def test_strangers_at_the_door_are_sent_away():
    where = addresses(2)
    with ThreadPoolExecutor(2) as pool:
        chief = pool.submit(workers.meet, workers.Cluster(where, 0), CONFIG, 10.0)
        with socket.create_connection(_retry(where[0])) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        worker = pool.submit(workers.meet, workers.Cluster(where, 1), CONFIG, 10.0)
        assert chief.result().is_chief and not worker.result().is_chief


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_when_a_worker_is_lost_all_others_end_and_say_which(gone):
    lines = meet_all([CONFIG] * 3)
    ends = watched(lines)
    lines[gone].closing.set()  # a process that is killed says nothing
    for peer in lines[gone].peers.values():
        peer.shutdown(socket.SHUT_RDWR)
    told = {0} if gone else {1, 2}  # the chief's end then breaks the lines of the rest
    assert wait_for(lambda: told <= set(ends))
    assert all(f"worker {gone} " in ends[i] and "--resume" in ends[i] for i in told)


def test_workers_that_end_in_turn_are_not_lost():
    lines = meet_all([CONFIG] * 3)
    ends = watched(lines)
    for line in lines:
        line.close()
    time.sleep(0.2)
    for line in lines:
        line.hang_up()
    time.sleep(0.2)
    assert ends == {}


def test_an_exception_on_one_worker_ends_the_others():
    lines = meet_all([CONFIG] * 2)
    others = threading.Thread(target=lines[0].agree, args=("beginning", True, ""))
    others.start()
    with pytest.raises(KeyError), workers.together(lines[1]):
        others.join()
        ends = watched(lines[:1])
        raise KeyError
    assert wait_for(lambda: 0 in ends) and "worker 1 " in ends[0]


def test_workers_that_restore_different_steps_are_refused():
    lines = meet_all([CONFIG] * 2)

    def agree(line, step):
        with pytest.raises(ValueError, match=r"worker 1 with step=0 .chief: 4.*shared disk"):
            line.agree("step", step, "Use a shared disk.")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(agree, lines, (4, 0)))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not json",
        "[]",
        "{}",
        json.dumps({"cluster": TWO}),
        json.dumps({"cluster": TWO, "task": {"type": "ps", "index": 0}}),
        json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": TWO, "task": {"type": "worker", "index": -1}}),
        json.dumps({"cluster": TWO, "task": {"type": "worker", "index": "one"}}),
        json.dumps({"cluster": {"worker": ["host"]}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": {"worker": ["host:99999"]}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}),
    ],
)
def test_a_missing_or_malformed_tf_config_is_refused(text, monkeypatch):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="needs TF_CONFIG"):
        workers.cluster()


@pytest.mark.parametrize(("kind", "index", "place"), [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)])
def test_the_chief_comes_first_and_alone_writes(kind, index, place, monkeypatch):
    config = {"cluster": {"chief": ["127.0.0.1:12344"], **TWO}, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert workers.cluster() == workers.Cluster(("127.0.0.1:12344", *TWO["worker"]), place)
    assert strategies.is_chief("multiworker") == (place == 0)


def test_slurm_names_the_workers_in_the_order_of_its_tasks(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")  # what it becomes is forgotten afterwards
    monkeypatch.delenv("TF_CONFIG")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    expected = ("gpu9:12007", "gpu9:12008", "gpu10:12007", "gpu10:12008")
    assert workers.cluster() == workers.Cluster(expected, 2)
    assert json.loads(workers.os.environ["TF_CONFIG"])["cluster"]["worker"] == list(expected)


@pytest.mark.parametrize(
    "change", [{"SLURM_JOB_ID": None}, {"SLURM_PROCID": "4"}, {"SLURM_STEP_TASKS_PER_NODE": "2"}]
)
def test_a_slurm_step_without_its_variables_is_refused(change):
    environment = {name: value for name, value in {**SLURM, **change}.items() if value is not None}
    with pytest.raises(ValueError, match="Start the workers with srun"):
        workers.slurm_config(environment)
