"""Version folders: `<models>/<name>/<integer>`, each written once."""

import contextlib
import fcntl
import os
import re
import tempfile
from pathlib import Path

from tfmmd import checks

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
LAST = ".last_version"


def check_name(name):
    """Returns `name` when it can be a folder, a path of the REST interface and an entry of models.config."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        checks.fail(
            "A served name has letters, digits, '-', '_' and '.'.", f"name={name!r}", "Pass another `name`."
        )
    return name


def numbers(model_dir):
    """The version numbers in a model's folder, ascending."""
    folder = Path(model_dir)
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit() and p.is_dir())


def names(models_dir):
    """The names in a models folder that have a version, sorted."""
    folder = Path(models_dir)
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".") and numbers(p))


def publish(draft, model_dir):
    """Renames a finished draft to the next version number and returns its path.

    A number is never used twice, also after its folder was removed; of two writers one takes the next number.
    """
    folder = Path(model_dir)
    with locked(folder):
        number = max([_last(folder), *numbers(folder)]) + 1
        write_text(folder / LAST, f"{number}\n")  # first: an error skips a number, and publishes nothing
        os.rename(draft, folder / str(number))
    return folder / str(number)


@contextlib.contextmanager
def locked(folder):
    """Holds a folder's lock for the block; another writer, thread or process, waits."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # gives the lock back


def _last(folder):
    path = folder / LAST
    return int(path.read_text()) if path.exists() else 0


def write_text(path, text):
    """Writes a text file by a rename, so that a reader sees the old or the new one."""
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(draft, 0o644)  # a server may run as another user
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
