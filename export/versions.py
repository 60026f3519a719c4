"""Version folders: `<models>/<name>/<integer>`, each written once."""

import os
import re
from pathlib import Path

from tfmmd import checks

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LAST = ".last_version"


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
    number = max([_last(folder), *numbers(folder)]) + 1
    while True:
        try:
            os.rename(draft, folder / str(number))
            break
        except OSError:
            if not (folder / str(number)).exists():
                raise
            number += 1  # another writer was faster
    _remember(folder, number)
    return folder / str(number)


def _last(folder):
    path = folder / _LAST
    return int(path.read_text()) if path.exists() else 0


def _remember(folder, number):
    write_text(folder / _LAST, f"{max(number, _last(folder))}\n")


def write_text(path, text):
    """Writes a text file by a rename, so that a reader sees the old or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
