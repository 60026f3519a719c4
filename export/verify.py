"""Checks a version as TensorFlow Serving would use it, from disk and on a running server.

`verify(model_dir)` loads the version through the C++ runtime in a TF1 session, replays its warm-up records
and compares every signature with the Keras model: its recorded answers, and with `run_dir` the model itself.
With `url` the same requests go over the wire to a server, official or stand-in.
"""

import dataclasses
import re
from pathlib import Path

from export import reference, saved_model, serving_files, verify_checks, versions
from export.client import Client
from export.errors import ServingError
from export.session import LoadedModel
from tfmmd import checks


@dataclasses.dataclass(frozen=True)
class Finding:
    """One check: its name, whether it passed, and what was seen."""

    name: str
    passed: bool
    detail: str


@dataclasses.dataclass(frozen=True)
class Report:
    """All findings on a version."""

    path: Path
    findings: tuple

    @property
    def passed(self):
        """Whether every check passed."""
        return all(finding.passed for finding in self.findings)


def verify(model_dir, *, run_dir=None, url=None):
    """Checks a version.

    Args:
        model_dir: `<models>/<name>` for the newest version, or `<models>/<name>/<version>`.
        run_dir: Run folder whose Keras model the version must equal; None uses the recorded answers.
        url: Server to check too: `host:port` for gRPC, `http://host:port` for REST.

    Returns:
        `Report`.

    Raises:
        ValueError: If there is no version at `model_dir`, or no trained model at `run_dir`.
    """
    path = _version_dir(model_dir)
    live = reference.answers(saved_model.load_run(run_dir)[0]) if run_dir else None
    findings = [_run("loads in a TF1 session", lambda: verify_checks.loads(path))]
    if findings[0].passed:
        findings += _check_loaded(path, live, url)
    return Report(path, tuple(findings))


def _check_loaded(path, live, url):
    max_rows = serving_files.read_batching(path.parent.parent).max_rows
    model, again = LoadedModel(path), LoadedModel(path)
    try:
        subject = verify_checks.Subject(
            path=path, model=model, call=model.run, again=again.run, live=live, max_rows=max_rows
        )
        findings = [_run(name, check, subject) for name, check in verify_checks.LOCAL]
        findings += [_run(name, check, subject) for name, check in verify_checks.ANSWERS]
        if url:
            findings += _check_wire(subject, url)
    finally:
        model.close(), again.close()
    return findings


def _check_wire(subject, url):
    name, version = subject.path.parent.name, int(subject.path.name)
    address = {"rest": url} if url.startswith("http") else {"grpc": url}
    with Client(**address, name=name, version=version, max_rows=subject.max_rows) as client:
        served = dataclasses.replace(
            subject,
            call=lambda key, inputs: client.predict(inputs, key),
            again=subject.model.run,  # the second opinion is this process's session
            served=client,
        )
        return [
            _run(f"{name} ({url})", check, served)
            for name, check in (*verify_checks.WIRE, *verify_checks.ANSWERS)
        ]


def _run(name, check, *subject):
    try:
        return Finding(name, True, check(*subject))
    except verify_checks.Failed as failure:
        return Finding(name, False, str(failure))
    except ServingError as error:
        return Finding(name, False, f"{error.code}: {error}")


def _version_dir(model_dir):
    folder = Path(model_dir).resolve()
    numbers = versions.numbers(folder)
    if numbers:
        return folder / str(numbers[-1])
    if re.fullmatch(r"\d+", folder.name) and folder.is_dir():
        return folder
    return checks.fail(
        "A model folder holds versions, `<name>/<integer>`.",
        f"{model_dir} {'without one' if folder.is_dir() else 'which is not a folder'}",
        "Write one with `python -m export save`.",
    )


def text(report):
    """The report for people."""
    marks = {True: "ok    ", False: "FAILED"}
    lines = [f"{marks[f.passed]} {f.name}: {f.detail}" for f in report.findings]
    verdict = "verified" if report.passed else "NOT verified"
    return "\n".join([*lines, f"{report.path}: {verdict}"])


def as_json(report):
    """The report for machines."""
    findings = [dataclasses.asdict(finding) for finding in report.findings]
    return {"path": str(report.path), "passed": report.passed, "checks": findings}
