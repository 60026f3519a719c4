"""Several workers: who they are, that all of them agree before they start, and the end of all when one is lost.

TensorFlow's collectives wait for a peer without a bound, so the workers meet first: the chief listens at its own
address, the others call, and the connections stay open until the end as a line that breaks with a process.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import socket
import sys
import threading
import time

import tensorflow as tf

from tfmmd import checks

START_TIMEOUT = 300.0  # seconds that workers wait for each other; TFMMD_START_TIMEOUT overrides it
LINE_BYTES = 2**20
KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}  # a host that is gone: after 30 s
PATIENCE = 2.0  # seconds between the failure of a collective and the end
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
RESTART = "Start all workers again with --resume."
FIRST_PORT, PORTS = 12_000, 20_000  # Slurm jobs on one node get ports of their own, below the ephemeral ones


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Addresses `host:port` of all workers, the chief's first, and which of them this process is."""

    addresses: tuple
    index: int

    def port(self):
        """This worker's port."""
        return int(self.addresses[self.index].rpartition(":")[2])


def cluster():
    """The workers of `TF_CONFIG`, or without it of the Slurm job step, which then sets `TF_CONFIG`.

    Raises:
        ValueError: If neither is there or one is malformed.
    """
    if "TF_CONFIG" not in os.environ and "SLURM_PROCID" in os.environ:
        os.environ["TF_CONFIG"] = json.dumps(slurm_config(os.environ))
    text = os.environ.get("TF_CONFIG", "")
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, IndexError):
        return _parsed(json.loads(text))
    return checks.fail(
        "--strategy multiworker needs TF_CONFIG with a cluster and this worker's task.",
        f"TF_CONFIG={text!r}",
        'Set it like {"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
        '"task": {"type": "worker", "index": 0}}.',
    )


def slurm_config(environment):
    """The content of `TF_CONFIG` for a process of `srun`, from Slurm's variables.

    The hosts keep Slurm's order, in which it numbers the tasks; `SlurmClusterResolver` sorts them by name.

    Raises:
        ValueError: If variables are missing or malformed.
    """
    from tensorflow.python.distribute.cluster_resolver import slurm_cluster_resolver as slurm

    try:
        hosts = slurm.expand_hostlist(environment["SLURM_STEP_NODELIST"])
        counts = slurm.expand_tasks_per_node(environment["SLURM_STEP_TASKS_PER_NODE"])
        first = FIRST_PORT + int(environment["SLURM_JOB_ID"]) % PORTS
        addresses = [f"{h}:{first + i}" for h, n in zip(hosts, counts, strict=True) for i in range(n)]
        index = int(environment["SLURM_PROCID"])
        addresses[index]  # as many tasks as Slurm counts
    except (KeyError, ValueError, IndexError) as error:
        names = ("JOB_ID", "PROCID", "STEP_NODELIST", "STEP_TASKS_PER_NODE")
        checks.fail(
            "A Slurm job step has " + ", ".join(f"SLURM_{name}" for name in names) + ".",
            f"{type(error).__name__}: {error}",
            "Start the workers with srun, or set TF_CONFIG.",
        )
    return {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}


def meet(members, config, timeout=None):
    """Waits until all workers are there and checks that they were started alike.

    Args:
        members: `Cluster`.
        config: JSON mapping of what must agree.
        timeout: Seconds to wait; None is `START_TIMEOUT`.

    Returns:
        `Line`.

    Raises:
        ValueError: If the configs differ or this worker's port is in use.
        WorkerLost: If a worker does not come in time.
    """
    timeout = float(os.environ.get("TFMMD_START_TIMEOUT", START_TIMEOUT)) if timeout is None else timeout
    deadline = time.monotonic() + timeout
    with _listening(members) as server:
        peers = _called_by_all(server, members, deadline) if members.index == 0 else None
    if peers is None:
        peers = {0: _calling(members, deadline)}
    line = Line(members, peers, timeout)
    line.agree("config", config, "Compare system, dataset, preset, seed, --set and --resume of the workers.")
    return line


class WorkerLost(RuntimeError):
    """A worker that is not there, or no longer."""


class Line:
    """The open connections of a worker: the chief's to all others, theirs to the chief.

    Args:
        members: `Cluster`.
        peers: Sockets by worker index.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, members, peers, timeout):
        self.members, self.peers, self.timeout = members, peers, timeout
        self.files = {index: peer.makefile("rwb") for index, peer in peers.items()}
        self.closing, self.release = threading.Event(), lambda: None
        for peer in peers.values():
            _keep_alive(peer)

    @property
    def is_chief(self):
        return self.members.index == 0

    def agree(self, name, value, mend):
        """Checks that all workers have the same JSON `value`, and waits for them to come so far.

        Raises:
            ValueError: If they differ, on every worker.
            WorkerLost: If one is gone or takes too long.
        """
        if not self.is_chief:
            self._send(0, {name: value, "sha256": _digest(value)})
            problem = self._receive(0).get("problem", "an index that another worker has, or none should")
        else:
            others = {index: self._receive(index) for index in self.peers}
            problem = _problem(name, value, others)
            for index in self.peers:
                self._send(index, {"problem": problem})
        if problem:
            self.hang_up()
            checks.fail("All workers must be started with the same command.", problem, mend)

    def watch(self):
        """From now on this process ends when another one is lost: its main thread may be held by a collective."""
        for index in self.peers:
            threading.Thread(target=self._wait_for_end, args=(index,), daemon=True).start()

    def leave(self, message):
        """Ends this process at once, with a message and exit code 1."""
        self.release()
        print(f"failed: {message}", file=sys.stderr, flush=True)
        os._exit(1)

    def close(self):
        """Says that this worker ends as it should."""
        self.closing.set()
        for index in self.peers:
            with contextlib.suppress(WorkerLost):
                self._send(index, {"done": True})

    def hang_up(self):
        """Ends the connections; the others take it for a loss unless `close` was called before."""
        self.closing.set()
        for peer in self.peers.values():
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def lost_message(self, index):
        """What is said when worker `index` is gone."""
        return checks.message(
            "Every worker must stay until the end.",
            f"worker {index} ({self.members.addresses[index]}) was lost",
            RESTART,
        )

    def _wait_for_end(self, index):
        self.peers[index].settimeout(None)
        try:
            ended = self._receive(index).get("done", False)
        except WorkerLost:
            ended = False
        if not (ended or self.closing.is_set()):
            self.leave(self.lost_message(index))

    def _send(self, index, message):
        try:
            self.files[index].write(json.dumps(message, default=list).encode() + b"\n")
            self.files[index].flush()
        except OSError as error:
            raise WorkerLost(self.lost_message(index)) from error

    def _receive(self, index):
        try:
            return _read(self.files[index])
        except (OSError, EOFError, ValueError) as error:
            raise WorkerLost(self.lost_message(index)) from error


@contextlib.contextmanager
def together(line, release=None):
    """Runs the body on all workers, from one moment on; a lost worker ends it, and this process.

    Args:
        line: `Line`, or None for one process.
        release: Called before this process ends itself: gives back what it holds.
    """
    if line is None:
        yield
        return
    line.release = release or line.release
    try:
        line.agree(
            "beginning", True, "Start them again."
        )  # the chief holds the run folder: now others may read it
        yield
    except tf.errors.OpError as error:
        if not (isinstance(error, LOST) or "ollective" in str(error)):
            raise
        time.sleep(PATIENCE)  # meanwhile the line breaks too, and says which worker it was
        line.leave(checks.message("Every worker must stay until the end.", f"{error.message[:300]}", RESTART))
    else:
        line.close()
    finally:
        line.hang_up()


def _parsed(config):
    """The `Cluster` of a parsed `TF_CONFIG`; raises when something is missing or out of place."""
    chiefs, workers = config["cluster"].get("chief", []), config["cluster"]["worker"]
    task, addresses = config["task"], [*chiefs, *workers]
    members = {"chief": chiefs, "worker": workers}[task["type"]]
    place = int(task["index"])
    good = all(host and 0 < int(port) < 2**16 for host, _, port in (a.rpartition(":") for a in addresses))
    if not (good and 0 <= place < len(members) and len(set(addresses)) == len(addresses)):
        raise ValueError(config)
    return Cluster(tuple(addresses), place + (len(chiefs) if task["type"] == "worker" else 0))


def _listening(members):
    """A server at this worker's own address, which shows that its port is free for TensorFlow."""
    host = members.addresses[members.index].rpartition(":")[0]
    host = host if host in ("localhost", "127.0.0.1") else ""
    try:
        return socket.create_server((host, members.port()), backlog=len(members.addresses))
    except OSError as error:
        return checks.fail(
            "A worker's port must be free.",
            f"{members.addresses[members.index]} ({error.strerror})",
            "End the process that uses it, or choose another port in TF_CONFIG on all workers.",
        )


def _called_by_all(server, members, deadline):
    """Sockets of all other workers by index, as they call in; callers that are none of them are sent away."""
    peers, missing = {}, set(range(1, len(members.addresses)))
    while missing:
        server.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            caller, _ = server.accept()
        except TimeoutError:
            raise WorkerLost(_nobody(members, missing)) from None
        index = _introduced(caller, deadline)
        if index in missing:
            peers[index] = caller
            missing.discard(index)
        else:
            _refuse(caller, index, members)
    return peers


def _introduced(caller, deadline):
    """The index that a caller gives, None for strangers."""
    caller.settimeout(max(deadline - time.monotonic(), 0.01))
    try:
        return _read(caller.makefile("rb", buffering=0))["worker"]
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _refuse(caller, index, members):
    with contextlib.suppress(OSError):
        caller.sendall(b'{"refused": true}\n')
        caller.close()
    if index is not None:
        checks.fail(
            "Every worker needs a task index of its own.",
            f"index {index!r} twice or out of place among {len(members.addresses)} workers",
            "Compare TF_CONFIG of the workers.",
        )


def _calling(members, deadline):
    """The socket to the chief, once it listens."""
    host, _, port = members.addresses[0].rpartition(":")
    while time.monotonic() < deadline:
        try:
            chief = socket.create_connection(
                (host, int(port)), timeout=max(deadline - time.monotonic(), 0.01)
            )
        except OSError:
            time.sleep(0.1)
            continue
        chief.sendall(json.dumps({"worker": members.index}).encode() + b"\n")
        return chief
    raise WorkerLost(_nobody(members, {0}))


def _nobody(members, missing):
    names = ", ".join(f"{index} ({members.addresses[index]})" for index in sorted(missing))
    return checks.message(
        "All workers must start within the same few minutes.",
        f"nothing from worker {names}",
        "Start it, check addresses and firewall, or set TFMMD_START_TIMEOUT (seconds).",
    )


def _problem(name, value, others):
    """What is received when workers differ, else None; the chief's value is the measure."""
    different = [i for i, message in others.items() if message["sha256"] != _digest(value)]
    if not different:
        return None
    other = others[different[0]][name]
    return f"worker {different[0]} with {_difference(name, json.loads(_canonical(value)), other)}"


def _difference(name, ours, other):
    """The first settings that differ, as text."""
    if not (isinstance(ours, dict) and isinstance(other, dict)):
        return f"{name}={other!r} (chief: {ours!r})"
    keys = [key for key in sorted({*ours, *other}) if ours.get(key) != other.get(key)]
    return ", ".join(_difference(key, ours.get(key), other.get(key)) for key in keys[:3])


def _canonical(value):
    return json.dumps(value, sort_keys=True, default=list)


def _digest(value):
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


def _read(file):
    line = file.readline(LINE_BYTES)
    if not line.endswith(b"\n"):
        raise EOFError
    return json.loads(line)


def _keep_alive(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
