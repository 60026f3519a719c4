"""The versions of one model in a server: loading, warming up, switching, retiring.

A new version answers only after it loaded and its warm-up records ran; while it does not, the one before it
stays. A version that is switched off finishes the requests it has and is freed then. Beyond TensorFlow
Serving: a version whose warm-up output is not finite is refused, and the newest version that loads is served.
"""

import contextlib
import dataclasses
import gc
import logging
import threading
from pathlib import Path

from export import versions, warmup
from export.errors import ServingError
from export.session import LoadedModel

log = logging.getLogger("tfmmd.export")


@dataclasses.dataclass
class Version:
    """A loaded version and the number of requests that use it."""

    number: int
    model: LoadedModel
    users: int = 0
    retired: bool = False


@dataclasses.dataclass(frozen=True)
class Policy:
    """Which versions to serve: the newest `latest`, or just the `specific` ones; names for some of them."""

    latest: int = 1
    specific: tuple = ()
    labels: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def of_config(cls, entry):
        """The policy of a `ModelConfig`."""
        policy, labels = entry.model_version_policy, dict(entry.version_labels)
        if policy.HasField("specific"):
            return cls(specific=tuple(policy.specific.versions), labels=labels)
        if policy.HasField("all"):
            return cls(latest=2**31, labels=labels)
        return cls(latest=policy.latest.num_versions or 1, labels=labels)


class ServedModel:
    """The versions of one model.

    Args:
        name: Name in requests.
        folder: The model's folder.
    """

    def __init__(self, name, folder):
        self.name, self.folder = name, Path(folder)
        self._lock = threading.Lock()
        self._loaded, self._failed, self._ended = {}, {}, set()
        self._labels = {}

    def refresh(self, policy):
        """Brings what is loaded in line with the disk; returns whether a version is available."""
        found = versions.numbers(self.folder)
        if policy.specific:
            good = [n for n in policy.specific if n in found and self._ready(n)]
        else:
            good = self._newest(found, policy.latest)
        with self._lock:
            self._labels = dict(policy.labels)
            self._failed = {n: failure for n, failure in self._failed.items() if n in found}
            old = [n for n in self._loaded if n not in good] if good else []
        for number in old:
            self._retire(number)
        if old:
            gc.collect()  # a TF graph is full of reference cycles
        return self.available

    @property
    def available(self):
        """Whether a version serves."""
        return bool(self._loaded)

    def _newest(self, found, count):
        good = []
        for number in reversed(found):
            if len(good) == count:
                break
            if self._ready(number):
                good.append(number)
        return good

    def _ready(self, number):
        """Whether a version is loaded, after trying to; a failed one is tried again when changed."""
        if number in self._loaded:
            return True
        files = _fingerprint(self.folder / str(number))
        if number in self._failed and self._failed[number][0] == files:
            return False
        try:
            version = Version(number, _load(self.folder / str(number)))
        except ServingError as error:
            log.warning("%s version %s is not served: %s", self.name, number, error)
            with self._lock:
                self._failed[number] = files, error
            return False
        log.info("%s version %s is loaded and warm", self.name, number)
        with self._lock:
            self._loaded[number] = version
            self._failed.pop(number, None)
            self._ended.discard(number)
        return True

    def _retire(self, number):
        with self._lock:
            version = self._loaded.pop(number)
            version.retired = True
            self._ended.add(number)
            idle = version.users == 0
        log.info("%s version %s is switched off", self.name, number)
        if idle:
            version.model.close()

    @contextlib.contextmanager
    def use(self, number=None, label=None):
        """The version for a request, held for the block.

        Args:
            number: Version number; None is the newest that serves, or the label's.
            label: Version label.

        Raises:
            ServingError: `NOT_FOUND`.
        """
        with self._lock:
            version = self._find(number, label)
            version.users += 1
        try:
            yield version
        finally:
            with self._lock:
                version.users -= 1
                free = version.retired and version.users == 0
            if free:
                version.model.close()

    def _find(self, number, label):
        if label:
            if label not in self._labels:
                raise ServingError("NOT_FOUND", f"Unrecognized servable version label: {label}")
            number = self._labels[label]
        if number is None and self._loaded:
            number = max(self._loaded)
        if number not in self._loaded:
            what = f"Latest({self.name})" if number is None else f"Specific({self.name}, {number})"
            raise ServingError("NOT_FOUND", f"Servable not found for request: {what}")
        return self._loaded[number]

    def states(self):
        """Version -> (name of the state, `ServingError` or None), the newest first."""
        with self._lock:
            states = {n: ("END", None) for n in self._ended}
            states.update({n: ("END", error) for n, (_, error) in self._failed.items()})
            states.update({n: ("AVAILABLE", None) for n in self._loaded})
        return dict(sorted(states.items(), reverse=True))

    def version_of(self, label):
        """The number a label stands for."""
        with self._lock:
            return self._find(None, label).number

    def close(self):
        """Switches all versions off."""
        for number in list(self._loaded):
            self._retire(number)


def _load(path):
    model = LoadedModel(path)
    try:
        warmup.replay(model)
    except BaseException:
        model.close()
        raise
    return model


def _fingerprint(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    with contextlib.suppress(OSError):  # a file that vanishes meanwhile: the next poll sees it
        return tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)
    return ()
