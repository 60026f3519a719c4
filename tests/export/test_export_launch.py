"""Which server `export serve` starts, checked with a program that only notes how it was called."""

import os
from pathlib import Path

import pytest

from export import __main__ as cli
from export import launch
from export.serving_files import read_models
from tests.export.conftest import NAME

FAKE = """#!/bin/sh
printf '%s\\n' "$@" > "$NOTES/arguments"
for argument in "$@"; do
  case "$argument" in
    --model_config_file=*) config="${argument#--model_config_file=}" ;;
  esac
done
if [ "$SAVED_LATER" ]; then
  cp -r "$SAVED_LATER" "$(dirname "$SAVED_LATER")/later"
  for poll in $(seq 100); do grep -q later "$config" || sleep 0.1; done
fi
cp "$config" "$NOTES/models.config"
[ "$KILLED_BY" ] && kill -s "$KILLED_BY" $$
exit ${FAKE_EXIT:-0}
"""


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A `tensorflow_model_server` on the PATH; returns the folder of its notes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / launch.BINARY).write_text(FAKE)
    (folder / launch.BINARY).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(tmp_path))
    return tmp_path


def _serve(written):
    return cli.main(["serve", str(written), "--grpc-port=8511", "--rest-port=8512"])


def test_the_official_server_is_started_where_it_is_found(official, written, capfd):
    assert _serve(written) == 0
    assert capfd.readouterr().out.startswith("TensorFlow Serving: gRPC 0.0.0.0:8511")
    arguments = (official / "arguments").read_text().split("\n")
    assert {"--port=8511", "--rest_api_port=8512", "--enable_batching=true"} <= set(arguments)
    files = [a.split("=")[1] for a in arguments if a.startswith(("--batching", "--monitoring"))]
    assert all(Path(path).is_file() for path in files) and len(files) == 2
    assert read_models(official)[NAME].base_path == str(written / NAME)


def test_a_server_that_fails_is_exit_1(official, written, monkeypatch):
    monkeypatch.setenv("FAKE_EXIT", "3")
    assert _serve(written) == 1


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_server_that_a_signal_stops_is_exit_0(official, written, monkeypatch, name):
    monkeypatch.setenv("KILLED_BY", name)
    assert _serve(written) == 0


def test_a_model_that_is_saved_later_reaches_the_server(official, models, monkeypatch):
    monkeypatch.setenv("SAVED_LATER", str(models / NAME))
    assert _serve(models) == 0
    assert set(read_models(official)) == {NAME, "later"}
    assert "--model_config_file_poll_wait_seconds=1" in (official / "arguments").read_text().split("\n")
