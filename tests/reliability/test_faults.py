"""Full disks, read-only folders and two runs in one folder: refused with a reason, nothing half-written."""

import builtins
import errno
import io
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.reliability.test_damage import CONFIG, small
from tfmmd.callbacks import checkpoint, files, watch
from trainers.run_folder import LOCK, RunFolder, RunFolderError, save_model, write_json

WORDS = {errno.ENOSPC: "No space left", errno.EROFS: "Read-only"}
TAKE = (
    "import sys, time; from trainers.lock import Lock; Lock(sys.argv[1]).take(); print('mine', flush=True); "
)


class Faults:
    """Lets the n-th write into a folder fail; reads pass."""

    def __init__(self, monkeypatch, folder, number):
        self.patch, self.folder, self.number, self.left = monkeypatch, str(folder), number, None
        for module, name in ((builtins, "open"), (io, "open"), (os, "open")):
            self.wrap(module, name, lambda path, how="r", *_, **__: how not in ("r", "rb", os.O_RDONLY))
        for name in ("replace", "mkdir", "fsync"):
            self.wrap(os, name, lambda *_, **__: True)
        self.wrap(zipfile.ZipFile, "open", lambda archive, name, mode="r", *_, **__: mode == "w")

    def wrap(self, owner, name, is_write):
        original = getattr(owner, name)

        def faulty(*args, **kwargs):
            if self.left is not None and self.inside(args[0]) and is_write(*args, **kwargs):
                self.left -= 1
                if self.left < 0:
                    raise OSError(self.number, os.strerror(self.number))
            return original(*args, **kwargs)

        self.patch.setattr(owner, name, faulty)

    def inside(self, what):
        if isinstance(what, int):
            what = os.readlink(f"/proc/self/fd/{what}")
            what = "" if os.path.isdir(what) else what  # a folder that cannot be flushed is no failure
        what = getattr(what, "filename", None) or getattr(getattr(what, "fp", None), "name", None) or what
        return isinstance(what, (str, os.PathLike)) and os.fspath(what).startswith(self.folder)

    def at(self, place):
        self.left = place

    def over(self):
        self.left = None


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


PICTURE = np.zeros((4, 4, 1), np.uint8)
WRITES = {
    "checkpoint": lambda folder: checkpoint.save(folder, small(), 8),
    "json": lambda folder: write_json(folder / "metrics.json", {"a": 1}),
    "model": lambda folder: save_model(small(), folder / "model.keras"),
    "picture": lambda folder: watch.write_png(folder / "samples.png", PICTURE),
    "evaluation": lambda folder: files.write_text(folder / "metrics.json", "{}"),
}


@pytest.mark.parametrize("number", WORDS)
@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_fails_anywhere_leaves_the_old_files_whole(name, number, tmp_path, monkeypatch):
    for file in ("metrics.json", "model.keras", "samples.png"):
        (tmp_path / file).write_text("old")
    for step in (2, 4, 6):
        checkpoint.save(tmp_path, small(), step)
    before, faults, places = content(tmp_path), Faults(monkeypatch, tmp_path, number), 0
    while True:
        faults.at(places)
        try:
            WRITES[name](tmp_path)
            break
        except OSError as error:
            assert error.errno == number
        finally:
            faults.over()
        after, places = content(tmp_path), places + 1
        assert not [file for file in after if files.DRAFT in file]
        if name == "checkpoint":  # what was written whole stays, and nothing that was recorded is lost
            assert all(path.exists() for _, path in checkpoint.list_recorded(tmp_path))
            [checkpoint.read(path) for _, path in checkpoint.list_files(tmp_path)]
        else:
            assert after == before
    assert places >= 3
    print(f"{name}: {places} writes failed in turn")


@pytest.mark.parametrize("number", WORDS)
def test_a_run_folder_that_cannot_be_written_is_refused_and_not_left_locked(number, tmp_path, monkeypatch):
    faults, places, run = Faults(monkeypatch, tmp_path, number), 0, None
    while run is None:
        faults.at(places)
        try:
            run = RunFolder(tmp_path / "run").open(CONFIG)
        except RunFolderError as error:
            assert WORDS[number] in str(error) and "--run-dir" in str(error)
            assert not (tmp_path / "run" / LOCK).exists() and not (tmp_path / "run" / "config.json").exists()
            places += 1
        finally:
            faults.over()
    run.close()
    assert places >= 5


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="must be writable"):
        RunFolder(tmp_path / "file" / "run").open(CONFIG)


def other_process(code, path):
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)


def test_a_live_owner_keeps_its_folder_and_a_killed_one_loses_it(tmp_path):
    with other_process(TAKE + "time.sleep(60)", tmp_path / LOCK) as owner:
        assert owner.stdout.readline() == "mine\n"
        with pytest.raises(RunFolderError, match=f"owned by process {owner.pid} of "):
            RunFolder(tmp_path).open(CONFIG)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    RunFolder(tmp_path).open(CONFIG).close()


def test_of_many_that_come_at_once_exactly_one_owns_the_folder(tmp_path):
    (tmp_path / LOCK).write_text('{"pid": 1, "host": "' + os.uname().nodename + '"}')  # a dead owner's
    code = TAKE + "time.sleep(1)"
    racers = [other_process(f"{code}", tmp_path / LOCK) for _ in range(8)]
    assert sorted(racer.communicate()[0] for racer in racers) == [""] * 7 + ["mine\n"]


def test_an_owner_on_another_host_is_believed(tmp_path):
    (tmp_path / LOCK).write_text('{"pid": 1, "host": "elsewhere"}')
    with pytest.raises(RunFolderError, match="elsewhere"):
        RunFolder(tmp_path).open(CONFIG)
    assert "elsewhere" in (tmp_path / LOCK).read_text()
