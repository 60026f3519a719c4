"""One owner at a time for a folder: a file that names the owner, locked by the operating system."""

import contextlib
import errno
import json
import os
import socket
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_TAKEN = set()  # held until they are given back, whoever forgets them
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # file systems that cannot lock


class Held(Exception):
    """A lock that another process holds; the text names it."""


class Lock:
    """The lock of a folder. The system frees it when its owner dies, however that happens.

    A lock of another host counts as held: whether its owner lives cannot be known from here.

    Args:
        path: The lock file.
    """

    def __init__(self, path):
        self.path, self._file = Path(path), None

    def take(self):
        """Takes the lock.

        Raises:
            Held: If another process has it.
            OSError: If the file cannot be written.
        """
        while self._file is None:
            file = open(self.path, "a+")  # noqa: SIM115
            try:
                if not _lock(file):
                    raise Held(_named(_owner(file)))
                if self._is_current(file):
                    self._sign(file)
                    self._file, file = file, None
                    _TAKEN.add(self)
            finally:
                if file is not None:
                    file.close()

    def release(self):
        """Gives the lock back, if it was taken, and removes the file."""
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            file.close()
            _TAKEN.discard(self)

    def is_held(self):
        """Whether a living process has the lock; nobody has one whose file is not there."""
        if not self.path.exists():
            return False
        try:
            self.take()
        except Held:
            return True
        self.release()
        return False

    def _is_current(self, file):
        """Whether the open file is still the one at the path: its last owner may just have removed it."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _sign(self, file):
        """Writes this process into the locked file, after a look at who was there."""
        text = _owner(file)
        if text and _lives_elsewhere(text):
            raise Held(_named(text))
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()


def _lock(file):
    """Locks an open file; whether that worked. Without locks of the system the owner's process id decides."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return not _lives_here(_owner(file))


def _owner(file):
    file.seek(0)
    return file.read()


def _parse(text):
    try:
        owner = json.loads(text)
        return str(owner["host"]), int(owner["pid"])
    except (ValueError, TypeError, KeyError):
        return None


def _named(text):
    """The owner in words, by the text of a lock file."""
    owner = _parse(text)
    if owner is None:
        return "a process that is just starting"
    return f"process {owner[1]} of {owner[0]}"


def _lives_elsewhere(text):
    owner = _parse(text)
    return owner is not None and owner[0] != socket.gethostname()


def _lives_here(text):
    owner = _parse(text)
    if owner is None or owner[0] != socket.gethostname():
        return False
    try:
        os.kill(owner[1], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
