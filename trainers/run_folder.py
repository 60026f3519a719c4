"""The folder of a run: who owns it, what is in it, written atomically."""

import json
import os
import socket
import tempfile
from pathlib import Path

LOCK = ".lock"


class RunFolderError(Exception):
    """A run folder that cannot be used as asked."""


class RunFolder:
    """A run's files: `config.json`, `model.keras`, `checkpoints/`, `logs/`, `metrics.json`, `samples.png`.

    Args:
        path: The folder.
    """

    def __init__(self, path):
        self.path = Path(path)

    config = property(lambda self: self.path / "config.json")
    model = property(lambda self: self.path / "model.keras")
    checkpoints = property(lambda self: self.path / "checkpoints")
    logs = property(lambda self: self.path / "logs")
    metrics = property(lambda self: self.path / "metrics.json")
    samples = property(lambda self: self.path / "samples.png")

    def open(self, config, *, resume=False, force=False):
        """Takes the folder for a run with this config, or says why not.

        Args:
            config: JSON mapping: every setting resolved.
            resume: Continue the run that is there; its config must be the same.
            force: Start again although a run is there: its files are replaced.

        Raises:
            RunFolderError: If a run is there and neither is asked for, if the configs differ, if another
                process owns the folder, or if it cannot be written.
        """
        exists = self.config.exists()
        if exists and not (resume or force):
            raise RunFolderError(
                f"A run is never overwritten. Received: {self.path}, which holds one. "
                "Continue it with --resume, replace it with --force, or choose another --run-dir."
            )
        if exists and resume:
            self._check_same(config)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
        except OSError as error:
            raise RunFolderError(
                f"A run folder must be writable. Received: {self.path} ({error}). Choose another --run-dir."
            ) from error
        if exists and force and not resume:
            self._clear()
        write_json(self.config, config)
        return self

    def close(self):
        """Gives the folder back."""
        (self.path / LOCK).unlink(missing_ok=True)

    def _check_same(self, config):
        old, new = read_json(self.config), json.loads(json.dumps(config))
        compared = ("system", "dataset", "preset", "seed", "settings")
        for name in compared:
            if old.get(name) != new.get(name):
                raise RunFolderError(
                    "--resume continues a run with its own settings. "
                    f"Received: {name}={_short(new.get(name), old.get(name))}. "
                    "Leave the changed setting out, or start another run."
                )

    def _lock(self):
        lock = self.path / LOCK
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        while True:
            try:
                with open(lock, "x") as file:
                    json.dump(owner, file)
                return
            except FileExistsError:
                if _alive(lock):
                    raise RunFolderError(
                        f"One process at a time owns a run folder. Received: {self.path}, owned by {lock.read_text()}. "
                        f"Wait for it, or remove {lock} if that process is gone."
                    ) from None
                lock.unlink(missing_ok=True)

    def _clear(self):
        for path in (self.model, self.metrics, self.samples, *self.checkpoints.glob("step-*.npz")):
            path.unlink(missing_ok=True)
        for path in sorted(self.logs.rglob("events.out.tfevents.*")):
            path.unlink()


def read_config(run_dir):
    """The config of an existing run.

    Raises:
        RunFolderError: If there is none.
    """
    folder = RunFolder(run_dir)
    if not folder.config.exists():
        raise RunFolderError(
            f"A run folder holds a config.json. Received: {folder.path}. Give the --run-dir of a run that was started."
        )
    return read_json(folder.config)


def read_json(path):
    """Parses a JSON file."""
    return json.loads(Path(path).read_text())


def write_json(path, value):
    """Writes JSON by one rename."""
    path = Path(path)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(value, file, indent=2, default=list)
            file.write("\n")
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def save_model(model, path):
    """Saves a `.keras` file by one rename."""
    draft = Path(path).with_name(".draft-" + Path(path).name)
    model.save(draft)
    os.replace(draft, path)


def _alive(lock):
    try:
        owner = read_json(lock)
    except (OSError, ValueError):
        return False
    if owner.get("host") != socket.gethostname():
        return True
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _short(new, old):
    if not isinstance(new, dict):
        return f"{new!r} (was {old!r})"
    changed = [
        f"{k}={new.get(k)!r} (was {old.get(k)!r})" for k in sorted({*new, *old}) if new.get(k) != old.get(k)
    ]
    return ", ".join(changed)
