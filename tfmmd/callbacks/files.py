"""Files that appear whole or not at all."""

import contextlib
import os
from pathlib import Path

DRAFT = ".draft-"


@contextlib.contextmanager
def replacing(path):
    """A draft beside `path` for the caller to write: it becomes `path` by one rename, and goes when that fails.

    The draft is on the disk before the rename, so that a crash leaves the old file or the new one.

    Args:
        path: The file to write or replace.

    Yields:
        Path of the draft, in the same folder and with the same suffix.

    Raises:
        OSError: If the disk is full or the folder is read-only; `path` is then what it was.
    """
    path = Path(path)
    draft = path.with_name(f"{DRAFT}{os.getpid()}-{path.name}")
    try:
        yield draft
        _to_disk(draft)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # some file systems cannot flush a folder
        _to_disk(path.parent)


def clear_drafts(directory):
    """Removes the drafts that killed processes left in a folder, which must be the caller's alone."""
    for draft in Path(directory).glob(f"{DRAFT}*"):
        draft.unlink(missing_ok=True)


def _to_disk(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path, text):
    """Replaces a file by one rename; its folder is made where it is missing."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_text(text)
