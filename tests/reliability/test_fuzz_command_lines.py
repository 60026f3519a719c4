"""Bad command lines end with exit code 2 (or 1 for what is not there), say why, and write nothing."""

import itertools

import pytest

from export import __main__ as export_line
from trainers import __main__ as trainers_line
from trainers import evaluate, runner

VALUES = (
    "",
    " ",
    "no-such",
    "-1",
    "0",
    "1.5",
    "nan",
    "inf",
    "9" * 30,
    "{}",
    "[]",
    "null",
    "é\x00",
    "../..",
    "true",
)
SETTINGS = (
    "steps",
    "batch_size",
    "hidden",
    "learning_rate",
    "latent_size",
    "bandwidths",
    "value_range",
    "split",
)
RUN = ["run", "gmmn", "--run-dir", "out", "--set", "steps=1", "--set", "batch_size=10"]  # what follows wins

TRAINERS = [
    *([*RUN, option, value] for option in ("--dataset", "--preset", "--strategy") for value in VALUES),
    *(
        [*RUN, option, value]
        for option in ("--steps", "--batch-size", "--seed", "--rollbacks", "--measure")
        for value in VALUES
    ),
    *([*RUN, "--set", f"{name}={value}"] for name, value in itertools.product(SETTINGS, VALUES)),
    *([*RUN, "--set", value] for value in VALUES),
    *(["run", value] for value in VALUES),
    *(
        [command, value]
        for command in ("evaluate", "judge", "ensemble", "reproduce", "tune")
        for value in VALUES
    ),
    *([value] for value in VALUES),
    [],
]
GOOD = [  # these alone are no mistakes
    *([*RUN, "--seed", value] for value in ("-1", "0")),
    *([*RUN, "--rollbacks", value] for value in ("0", "9" * 30)),
    *([*RUN, "--set", f"learning_rate={value}"] for value in ("1.5", "9" * 30)),
    [*RUN, "--set", "hidden=[]"],
]
SAMPLE = ["sample", "m", "--grpc", "127.0.0.1:1", "--wait", "0"]
EXPORT = [
    *(["save", value, "--to", "models"] for value in VALUES),
    *(["verify", value] for value in VALUES),
    *([*SAMPLE, "--seeds", value, "--out", "x.png"] for value in VALUES),
    *([*SAMPLE, "--seeds", "1", "--out", value] for value in VALUES),
    *(["serve", value] for value in VALUES if value not in ("../..",)),
    *(["serve", "models", "--grpc-port", value] for value in VALUES),
    *([value] for value in VALUES),
    [],
]


def outcome(main, arguments):
    """The exit code of a command line, that of argparse too; what else it raises is an answer of its own."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty working directory, in which valid runs end before they train."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "run", checked(runner.run))
    score = evaluate.evaluate
    monkeypatch.setattr(
        evaluate, "evaluate", lambda path, *more: {} if str(path) == "out" else score(path, *more)
    )
    return tmp_path


def checked(run):
    """`run` without training: everything is checked and built, and the folder given back."""

    def only_checks(options):
        original = runner.train, runner.save_model
        runner.train, runner.save_model = (lambda *_, **__: None), (lambda *_: None)
        try:
            return run(options)
        finally:
            runner.train, runner.save_model = original

    return only_checks


def wrong(main, lines, folder, capsys):
    found = {}
    for arguments in lines:
        code, said = outcome(main, arguments), capsys.readouterr().err
        left = sorted(p.name for p in folder.rglob("*") if p.is_file())
        bad = arguments not in GOOD
        if code not in ((1, 2) if bad else (0,)) or (bad and not said.strip()) or (bad and left):
            found[str(arguments)] = f"{code!r}, left {left}, said {said[-200:]!r}"
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    print(f"{len(lines)} command lines, {len(found)} wrong")
    return found


@pytest.mark.parametrize(("main", "lines"), [(trainers_line.main, TRAINERS), (export_line.main, EXPORT)])
def test_bad_command_lines_say_why_and_write_nothing(main, lines, empty, capsys):
    found = wrong(main, lines, empty, capsys)
    assert not found, "\n".join(f"{k}: {v}" for k, v in list(found.items())[:40])
