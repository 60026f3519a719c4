"""Where a run can be killed: its training steps and every point at which it writes to its folder."""

import os
import re
import signal
import sys
import threading
import time
import zipfile

from tfmmd.callbacks.steps import StepCounter

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Points:
    """Passes every point to `reached(label)`; for processes of their own, since audit hooks stay.

    Args:
        folder: The run folder.
        reached: Function of a label such as "step 3 begins" or "os.rename .draft-#-config.json".
    """

    def __init__(self, folder, reached):
        self.folder, self.reached = str(folder), reached
        self.busy = False

    def install(self):
        sys.addaudithook(self.audit)
        self.wrap(os, "fsync", lambda fd, *_: ("os.fsync", os.readlink(f"/proc/self/fd/{fd}")))
        for method in ("open", "writestr"):
            self.wrap(zipfile.ZipFile, method, self.zip_entry)
        for method, word in (("on_train_batch_begin", "begins"), ("count", "ends")):
            self.wrap(StepCounter, method, self.step_of(word))

    def audit(self, event, args):
        if event == "open" and not (args[2] or 0) & WRITING:
            return
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.truncate"):
            self.point(event, args[0])

    def wrap(self, owner, name, point_of):
        original = getattr(owner, name)

        def wrapped(*args, **kwargs):
            point = point_of(*args, **kwargs)
            if point:
                self.point(*point)
            return original(*args, **kwargs)

        setattr(owner, name, wrapped)

    @staticmethod
    def zip_entry(archive, name, mode="r", *_, **__):
        entry = getattr(name, "filename", name)
        if archive.mode == "r" or mode == "r":
            return None
        return f"zip {entry.rsplit('/', 1)[-1]} of", archive.filename or getattr(archive.fp, "name", "")

    def step_of(self, word):
        def point(counter, batch, *_, **__):
            if type(counter).__name__ == "Resume":
                return f"step {counter.step + 1} {word}", self.folder
            return None

        return point

    def point(self, event, path):
        if self.busy or not isinstance(path, (str, bytes, os.PathLike)):
            return
        path = os.fsdecode(path)
        if path.startswith(self.folder):
            self.busy = True  # what `reached` writes is no point
            name = re.sub(r"\d+", "#", path[len(self.folder) :].rsplit("/", 1)[-1])
            self.reached(f"{event} {name}".strip())
            self.busy = False


class Killer:
    """Kills this process, as `kill -9` does, when a label is reached, or after a time.

    Args:
        target: A label, a number of seconds, or None.
        log: File descriptor to which labels are written as they are reached.
    """

    def __init__(self, target, log):
        self.target, self.log = target, log
        if isinstance(target, float):
            threading.Thread(target=self.wait, daemon=True).start()

    def reached(self, label):
        os.write(self.log, f"{label}\n".encode())
        if label == self.target:
            self.kill()

    def wait(self):
        time.sleep(self.target)
        self.kill()

    def kill(self):
        os.write(self.log, b"KILLED\n")
        os.kill(os.getpid(), signal.SIGKILL)
