"""All models of a folder and the thread that watches it."""

import logging
import threading
from pathlib import Path

from export import serving_files, versions
from export.errors import ServingError
from export.loading import Policy, ServedModel
from tfmmd import checks

log = logging.getLogger("tfmmd.export")


class Catalog:
    """The models of a folder, kept in line with the disk.

    With a models.config its models, version policies and labels are followed (its base paths are not: the
    folder itself is read); without one every sub-folder with a version is a model with its newest version.

    Args:
        models_dir: Folder of the models.
        poll_seconds: How often the disk is looked at.

    Raises:
        ValueError: If the folder holds no version.
        ServingError: `FAILED_PRECONDITION`, if no version loads.
    """

    def __init__(self, models_dir, poll_seconds):
        self.folder, self._poll_seconds = Path(models_dir), poll_seconds
        self._models, self._stop = {}, threading.Event()
        self._refreshing = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
        check_folder(self.folder)
        self.refresh()
        if not any(model.available for model in self._models.values()):
            self.close()
            raise ServingError("FAILED_PRECONDITION", self._why_none())

    def start(self):
        """Begins to poll."""
        self._thread.start()

    def model(self, name):
        """The `ServedModel` of a name."""
        if name not in self._models:
            raise ServingError("NOT_FOUND", f"Servable not found for request: Latest({name})")
        return self._models[name]

    def names(self):
        """The names served, sorted."""
        return sorted(self._models)

    def refresh(self):
        """Looks at the disk once."""
        with self._refreshing:
            for name, policy in self._policies().items():
                self._models.setdefault(name, ServedModel(name, self.folder / name)).refresh(policy)

    def _policies(self):
        found = {name: Policy() for name in versions.names(self.folder)}
        try:
            entries = serving_files.read_models(self.folder)
        except ValueError as error:
            log.warning("models.config is not followed: %s", error)
            return found
        listed = {name: Policy.of_config(entry) for name, entry in entries.items()}
        return {name: listed.get(name, found.get(name)) for name in {*found, *listed}}

    def _watch(self):
        while not self._stop.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception:  # the watcher outlives any fault of the disk
                log.exception("The models folder could not be read; what is loaded stays")

    def _why_none(self):
        errors = [
            f"{model.name}: {error}"
            for model in self._models.values()
            for _, error in model.states().values()
            if error
        ]
        return "No version loads. " + " ".join(errors)

    def close(self):
        """Stops polling and switches all models off."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for model in self._models.values():
            model.close()


def check_folder(models_dir):
    """Checks that a models folder has a version to serve."""
    folder = Path(models_dir)
    if versions.numbers(folder):
        checks.fail(
            "A models folder holds models, `<name>/<version>`.",
            f"{folder}, one model's",
            f"Give {folder.parent}.",
        )
    if not versions.names(folder):
        checks.fail(
            "A models folder holds at least one version, `<name>/<integer>/saved_model.pb`.",
            f"{folder} {'without one' if folder.is_dir() else 'which is not a folder'}",
            "Write one with `python -m export save RUN_DIR --to MODELS_DIR`.",
        )
