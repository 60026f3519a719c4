"""Commands in processes of their own: at once, sharing the cores, stopped together."""

import os
import signal
import sys
import threading
import time

import pytest

from trainers import runner
from trainers.reproduction import processes
from trainers.reproduction.processes import THREADS, Processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def threads_of(jobs):
    """What a child sees of the variables of threads."""
    script = f"import os; print([os.environ.get(name) for name in {THREADS!r}])"
    return Processes(jobs).outcome([sys.executable, "-c", script])[1].strip()


@pytest.fixture
def free(monkeypatch):
    """An environment that says nothing of threads, on a machine of eight cores."""
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    return monkeypatch


@pytest.mark.parametrize("jobs, share", [(1, None), (2, "4"), (3, "2"), (20, "1")])
def test_processes_share_the_cores(jobs, share, free):
    assert threads_of(jobs) == str([share] * len(THREADS))


def test_the_environment_has_the_last_word_on_threads(free):
    free.setenv(THREADS[0], "7")
    assert threads_of(2) == str(["7", *["4"] * (len(THREADS) - 1)])


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_as_many_run_at_once_as_there_are_jobs(jobs):
    running, most, lock = [], [], threading.Lock()

    def work(item):
        with lock:
            running.append(item)
            most.append(len(running))
        time.sleep(0.1)
        with lock:
            running.remove(item)

    Processes(jobs).each(work, range(6))
    assert max(most) == jobs


def test_an_error_is_raised_and_stops_what_runs_and_waits():
    pool, begun = Processes(2), []

    def work(item):
        begun.append(item)
        if item == 0:
            raise processes.CommandFailed("first")
        pool.outcome(SLEEP)

    start = time.monotonic()
    with pytest.raises(processes.CommandFailed, match="first"):
        pool.each(work, range(4))
    assert time.monotonic() - start < 30
    assert set(begun) <= {0, 1}


def test_nothing_is_begun_after_an_error():
    begun = []

    def work(item):
        begun.append(item)
        raise processes.CommandFailed(str(item))

    with pytest.raises(processes.CommandFailed, match="0"):
        Processes(1).each(work, range(20))
    assert begun == [0]


def test_a_signal_stops_all_that_run_and_begins_no_more():
    begun = []

    def work(item):
        begun.append(item)
        code, _ = pool.outcome(SLEEP)
        if len(begun) < 2 or code >= 0:
            pytest.fail("a command ended by itself")
        raise runner.Interrupted("stopped", -code)

    with pytest.raises(runner.Interrupted), Processes(2) as pool:
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
        pool.each(work, range(4))
    assert len(begun) == 2 and pool.stopped_by == signal.SIGTERM


@pytest.mark.parametrize("number", processes.SIGNALS)
@pytest.mark.parametrize("code", [-signal.SIGTERM, 143, 1])
def test_a_stop_has_the_signal_that_came_and_not_the_one_passed_on(number, code, monkeypatch):
    with pytest.raises(runner.Interrupted) as stop, Processes() as pool:
        monkeypatch.setattr(pool, "outcome", lambda command: signal.raise_signal(number) or (code, ""))
        pool.trainers(["run"], "a run")
    assert stop.value.signal == number


def test_a_run_that_was_stopped_alone_has_its_own_signal(monkeypatch):
    pool = Processes()
    monkeypatch.setattr(pool, "outcome", lambda command: (130, ""))
    with pytest.raises(runner.Interrupted) as stop:
        pool.trainers(["run"], "a run")
    assert stop.value.signal == signal.SIGINT


def test_a_signal_when_nothing_runs_is_not_lost():
    with pytest.raises(runner.Interrupted) as stop, Processes():
        signal.raise_signal(signal.SIGINT)
    assert stop.value.signal == signal.SIGINT


def test_an_error_of_the_block_goes_before_a_signal():
    with pytest.raises(KeyError), Processes():
        signal.raise_signal(signal.SIGINT)
        raise KeyError("first")


def test_the_handlers_from_before_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with Processes(2):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
