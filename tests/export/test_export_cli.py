"""The command line: exit codes, JSON on stdout, words on stderr."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from export import __main__ as cli
from export import pictures
from export.client import Client
from export.errors import ServingError
from tests.export.conftest import NAME


@pytest.fixture
def call(capsys):
    """Function arguments -> (exit code, stdout, stderr)."""

    def run(*arguments):
        code = cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize("command", [[], *([name] for name in cli.COMMANDS)])
def test_help_is_everywhere(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0 and "usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["save"], ["sample", "x", "--seeds", "one", "--out", "a.png"]]
)
def test_bad_usage_is_exit_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2


def test_save_prints_the_version_as_json(call, run_dir, tmp_path):
    code, out, _ = call("save", run_dir, "--to", tmp_path / "models", "--name", "a", "--json")
    assert code == 0
    assert json.loads(out) == {"path": str(tmp_path / "models" / "a" / "1"), "name": "a", "version": 1}


def test_save_of_a_run_without_a_model_is_exit_2(call, tmp_path):
    code, out, err = call("save", tmp_path, "--to", tmp_path / "models")
    assert (code, out) == (2, "") and "Received:" in err and not (tmp_path / "models").exists()


def test_save_where_nothing_can_be_written_is_exit_1(call, run_dir, tmp_path):
    (tmp_path / "models").write_text("a file")
    assert call("save", run_dir, "--to", tmp_path / "models")[0] == 1


def test_verify_of_a_good_version_is_exit_0(call, written):
    code, out, _ = call("verify", written / NAME)
    assert code == 0 and out.strip().endswith("verified") and "FAILED" not in out


def test_verify_of_a_broken_version_is_exit_1_with_the_reason_in_json(call, models):
    (models / NAME / "1" / "saved_model.pb").write_bytes(b"x")
    code, out, _ = call("verify", models / NAME, "--json")
    report = json.loads(out)
    assert code == 1 and report["passed"] is False and "does not load" in report["checks"][0]["detail"]


def test_verify_of_a_folder_without_versions_is_exit_2(call, tmp_path):
    assert call("verify", tmp_path)[0] == 2


@pytest.mark.parametrize("part", ["", "nothing"])
def test_serve_of_a_folder_without_versions_is_exit_2(call, tmp_path, part):
    code, _, err = call("serve", tmp_path / part, "--grpc-port", 0, "--rest-port", 0)
    assert code == 2 and "at least one version" in err


def test_serve_of_one_models_folder_says_to_give_its_parent(call, written):
    code, _, err = call("serve", written / NAME)
    assert code == 2 and f"Give {written}" in err


@pytest.mark.serving
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_a_port_in_use_is_exit_2_and_named(call, written, stand_in, kind):
    taken = getattr(stand_in, f"{kind}_address").rpartition(":")[2]
    other = "rest" if kind == "grpc" else "grpc"
    code, _, err = call("serve", written, "--stand-in", f"--{kind}-port", taken, f"--{other}-port", 0)
    assert code == 2 and f"127.0.0.1:{taken}" in err


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_port_that_is_none_is_exit_2(call, written, port):
    assert call("serve", written, "--stand-in", "--grpc-port", 0, f"--rest-port={port}")[0] == 2


@pytest.mark.serving
@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_sample_writes_a_grid(call, stand_in, tmp_path, kind):
    address = getattr(stand_in, f"{kind}_address")
    code, out, _ = call(
        "sample", NAME, "--seeds", 1, 2, -3, "--out", tmp_path / "grid.png", f"--{kind}", address, "--json"
    )
    assert code == 0 and json.loads(out)["shape"] == [3, 8, 8, 1]
    picture = tf.io.decode_png((tmp_path / "grid.png").read_bytes())
    assert picture.shape[0] == picture.shape[1] and picture.numpy().std() > 0


@pytest.mark.serving
def test_sample_writes_an_array(call, stand_in, tmp_path, model):
    code, _, _ = call(
        "sample", NAME, "--seeds", 1, 2, "--out", tmp_path / "x.npy", "--grpc", stand_in.grpc_address
    )
    assert code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), model.sample(seeds=[1, 2]).numpy())


@pytest.mark.serving
@pytest.mark.parametrize(
    "arguments", [["--seeds", 2**63], ["--seeds", 1, "--out", "no/folder/x.png"], ["--out", "x.gif"]]
)
def test_sample_with_bad_input_is_exit_2_and_writes_nothing(call, stand_in, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    base = ["sample", NAME, "--seeds", 1, "--out", "x.png", "--grpc", stand_in.grpc_address]
    assert call(*base, *arguments)[0] == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.serving
def test_sample_of_an_unknown_model_is_exit_1_with_the_status(call, stand_in, tmp_path):
    code, _, err = call(
        "sample", "nobody", "--seeds", 1, "--out", tmp_path / "x.png", "--rest", stand_in.rest_address
    )
    assert code == 1 and "NOT_FOUND" in err


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_sample_without_a_server_is_exit_1(call, tmp_path, kind):
    base = ["sample", NAME, "--seeds", 1, "--out", tmp_path / "x.png", "--wait", 0]
    code, _, err = call(*base, f"--{kind}", "127.0.0.1:1")
    assert code == 1 and "UNAVAILABLE" in err


def test_sample_waits_for_a_server_that_starts(monkeypatch, capsys):
    monkeypatch.setattr(cli.time, "sleep", lambda seconds: None)
    answers = [ServingError("UNAVAILABLE", "not yet"), ServingError("UNAVAILABLE", "not yet"), "samples"]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert cli._when_up(ask, 1e6) == "samples"
    assert capsys.readouterr().err.count("export serve") == 1


@pytest.mark.serving
def test_another_server_process_gives_the_same_bits_and_stops_on_sigterm(written, stand_in):
    command = [sys.executable, "-m", "export", "serve", written, "--stand-in", "--json"]
    command += ["--grpc-port=0", "--rest-port=0"]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=quiet)
    try:
        line = json.loads(process.stdout.readline())
        assert line["server"] == "stand-in" and line["grpc"].startswith("127.0.0.1:")
        here, there = (
            Client(grpc=a, name=NAME).sample(range(8)) for a in (stand_in.grpc_address, line["grpc"])
        )
        np.testing.assert_array_equal(here, there)
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_rows_of_a_table_are_written_a_row_a_line(tmp_path):
    rows = np.array([[1.5, -2e4], [0.25, 3.0]], np.float32)
    pictures.write(tmp_path / "x.csv", rows)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "x.csv", delimiter=","), rows)
