"""Commands of `python -m trainers` in processes of their own, some at once, which a signal stops together."""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys

from tfmmd.callbacks.resume import STOPPED_EXIT_CODES
from trainers import runner

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CommandFailed(RuntimeError):
    """A command ended with an error."""


class Processes:
    """Runs commands. In a `with` block a signal to stop is passed on to those that run, and they save their state.

    Args:
        jobs: Number of commands at once; with several the machine's cores are shared out among them, unless the
            environment says how many threads each has.

    Raises:
        trainers.runner.Interrupted: At the end of the block, if a signal came that stopped nothing.
    """

    def __init__(self, jobs=1):
        self.jobs, self.stopped_by, self._error = jobs, None, None
        self._running, self._before = set(), {}

    def __enter__(self):
        self._before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        return self

    def __exit__(self, kind, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None:
            self._check_stopped()  # the signal came when nothing ran

    def each(self, function, items):
        """`function(item)` for every item, `jobs` at once; the first error stops what runs and is raised."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            futures = [pool.submit(self._unless_stopped, function, item) for item in items]
            try:
                for future in concurrent.futures.as_completed(futures):
                    if future.exception():
                        raise self._error
            except BaseException:
                self._stop(signal.SIGTERM)
                raise

    def trainers(self, arguments, what):
        """The JSON that `python -m trainers` prints for a list of arguments.

        Raises:
            CommandFailed: If it ends with an error.
            trainers.runner.Interrupted: If it was stopped; `what` says in what. Its signal is the one that came to
                this process, whichever was passed on.
        """
        command = [sys.executable, "-m", "trainers", *arguments, "--json"]
        code, out = self.outcome(command)
        if code and (self.stopped_by or code in STOPPED_EXIT_CODES or code < 0):
            raise self._interrupted(what, self.stopped_by or (-code if code < 0 else code - 128))
        if code:
            raise CommandFailed(
                f"{what} failed. Received: exit code {code} of `{' '.join(command[1:])}`. "
                "Mend what it says above; what is finished is kept."
            )
        return json.loads(out.splitlines()[-1])

    def outcome(self, command):
        """Exit code and standard output of a command."""
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self._environment())
        self._running.add(child)
        if self.stopped_by:  # the signal came while the process was being started
            child.terminate()
        out, _ = child.communicate()
        self._running.discard(child)
        return child.returncode, out

    def _environment(self):
        share = str(max(1, (os.cpu_count() or 1) // self.jobs))
        return dict(os.environ) if self.jobs == 1 else {**dict.fromkeys(THREADS, share), **os.environ}

    def _unless_stopped(self, function, item):
        try:
            self._check_stopped()
            return function(item)
        except BaseException as error:
            self._error = self._error or error
            self._stop(signal.SIGTERM)  # here: until the error is seen this thread would begin the next item
            raise

    def _check_stopped(self):
        if self.stopped_by:
            raise self._interrupted("a pause between two commands", self.stopped_by)

    def _stop(self, number, frame=None):
        self.stopped_by = self.stopped_by or number
        for child in tuple(self._running):
            child.terminate()

    def _interrupted(self, what, number):
        return runner.Interrupted(f"Stopped in {what}; the same command goes on.", number)
