"""The folder of a run: who owns it, what is in it, written atomically."""

import json
import shutil
from pathlib import Path

from tfmmd import checks
from tfmmd.callbacks import checkpoint, files
from trainers.lock import Held, Lock

LOCK = ".lock"
RECORD = ("versions", "commit", "machine", "strategy")  # of a config: what a resumed run may change
PICTURES = ("*.png", "samples.csv", "kid_learning_rate.json")
OF_OTHERS = ("judge-*.json", "cell.json", "seconds.json")  # answers of `judge`, notes of `reproduce`


class RunFolderError(Exception):
    """A run folder that cannot be used as asked."""


def fail(expected, received, mend):
    """Raises `RunFolderError` with the three sentences."""
    raise RunFolderError(checks.message(expected, received, mend))


class RunFolder:
    """A run's files: `config.json`, `model.keras`, `checkpoints/`, `logs/`, `metrics.json`, `samples.png`.

    Args:
        path: The folder.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.lock = Lock(self.path / LOCK)

    config = property(lambda self: self.path / "config.json")
    model = property(lambda self: self.path / "model.keras")
    checkpoints = property(lambda self: self.path / "checkpoints")
    phases = property(
        lambda self: self.checkpoints / "phases", doc="Of what is trained before the run itself."
    )
    index = property(lambda self: self.checkpoints / checkpoint.INDEX)
    logs = property(lambda self: self.path / "logs")
    metrics = property(lambda self: self.path / "metrics.json")
    samples = property(lambda self: self.path / "samples.png")
    owned = property(
        lambda self: Lock(self.path / LOCK).is_held(), doc="Whether a living process owns the folder."
    )

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
        self.check(config, resume=resume, force=force)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self.check(config, resume=resume, force=force)  # nobody came in between
            self._begin(config, resume, force)
        except OSError as error:
            self.close()
            raise RunFolderError(
                f"A run folder must be writable. Received: {self.path} ({error}). Choose another --run-dir."
            ) from error
        except RunFolderError:
            self.close()
            raise
        return self

    def close(self):
        """Gives the folder back."""
        self.lock.release()

    def check(self, config, *, resume=False, force=False):
        """Raises `RunFolderError` as `open` does for what is there; changes nothing."""
        exists = self.config.exists()
        if exists and not (resume or force):
            fail(
                "A run is never overwritten.",
                f"{self.path}, which holds one",
                "Continue it with --resume, replace it with --force, or choose another --run-dir.",
            )
        if exists and resume:
            self._check_same(config)
        if force and not resume:
            return
        saved = bool(checkpoint.list_recorded(self.checkpoints))
        if saved and not exists:
            fail(
                "A run folder with checkpoints has a config.json.",
                f"{self.path}, without one",
                "Put it back, replace the run with --force, or choose another --run-dir.",
            )
        if exists and not saved and (self.model.exists() or not self.index.exists()):
            fail(
                "A run is continued from its checkpoints.",
                f"{self.path}, whose checkpoints are gone",
                "Put them back, or start again with --force.",
            )

    def _begin(self, config, resume, force):
        """Writes what a run begins with; the record of checkpoints first, so that its loss is noticed."""
        if force and not resume:
            self._clear()
        for folder in (self.path, self.logs):
            files.clear_drafts(folder)
        self.checkpoints.mkdir(exist_ok=True)
        if not self.index.exists():
            checkpoint.write_index(
                self.checkpoints, [step for step, _ in checkpoint.list_files(self.checkpoints)]
            )
        resumed = resume and self.config.exists()
        write_json(self.config, _resumed(read_json(self.config), config) if resumed else config)

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

    def _take_lock(self):
        try:
            self.lock.take()
        except Held as held:
            raise RunFolderError(
                f"One process at a time owns a run folder. Received: {self.path}, owned by {held}, which is at work on "
                f"the run. Wait for it or stop it; remove {self.lock.path} if that process is gone."
            ) from None

    def _clear(self):
        steps = [path for _, path in checkpoint.list_files(self.checkpoints)]
        left = [path for pattern in (*PICTURES, *OF_OTHERS) for path in self.path.glob(pattern)]
        for path in (self.model, self.metrics, self.index, *steps, *left):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.phases, ignore_errors=True)
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
    with files.replacing(path) as draft:
        draft.write_text(json.dumps(value, indent=2, default=list) + "\n")


def last_record(config):
    """By which versions, commit, machine and strategy a run was last begun or gone on with."""
    return (config.get("resumes") or [{name: config.get(name) for name in RECORD}])[-1]


def _resumed(config, new):
    """The config of a run that is gone on with: as it began, with a list of what has changed since."""
    record = json.loads(json.dumps({name: new.get(name) for name in RECORD}))
    if record == last_record(config):
        return config
    return {**config, "resumes": [*config.get("resumes", ()), record]}


def save_model(model, path):
    """Saves a `.keras` file by one rename."""
    with files.replacing(path) as draft:
        model.save(draft)


def _short(new, old):
    if not isinstance(new, dict):
        return f"{new!r} (was {old!r})"
    changed = [
        f"{k}={new.get(k)!r} (was {old.get(k)!r})" for k in sorted({*new, *old}) if new.get(k) != old.get(k)
    ]
    return ", ".join(changed)
