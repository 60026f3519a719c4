"""Admission of requests: so many run, so many wait, the rest is turned away at once."""

import contextlib
import threading
import time

from export.errors import ServingError


class Deadline:
    """A point in time that a request must not outlive.

    Args:
        seconds: From now; None is never.
    """

    def __init__(self, seconds):
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self):
        """Seconds left, None without an end.

        Raises:
            ServingError: `DEADLINE_EXCEEDED`, if none are left.
        """
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise ServingError("DEADLINE_EXCEEDED", "The deadline passed before the request was done.")
        return left


class Admission:
    """Bounds the requests in a server.

    Args:
        running: Requests that run at a time.
        waiting: Requests that wait for a place; one more gets `RESOURCE_EXHAUSTED`.
    """

    def __init__(self, running, waiting):
        self._limit = running + waiting
        self._places = threading.BoundedSemaphore(running)
        self._inside, self._condition = 0, threading.Condition()
        self._closed = False

    @contextlib.contextmanager
    def place(self, deadline):
        """Waits for a place, holds it for the block."""
        self._enter()
        try:
            if not self._places.acquire(timeout=deadline.remaining()):
                raise ServingError("DEADLINE_EXCEEDED", "The deadline passed while the request waited.")
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._leave()

    @property
    def load(self):
        """Requests inside: running and waiting."""
        return self._inside

    def close(self, grace):
        """Turns new requests away and waits up to `grace` seconds for those inside."""
        with self._condition:
            self._closed = True
            self._condition.wait_for(lambda: self._inside == 0, grace)

    def _enter(self):
        with self._condition:
            if self._closed:
                raise ServingError("UNAVAILABLE", "The server is stopping.")
            if self._inside >= self._limit:
                raise ServingError(
                    "RESOURCE_EXHAUSTED", f"The queue is full: {self._limit} requests are inside."
                )
            self._inside += 1

    def _leave(self):
        with self._condition:
            self._inside -= 1
            self._condition.notify_all()
