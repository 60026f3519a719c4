"""Bad inputs anywhere: documented errors of three sentences, nothing else, and no files."""

import os

import pytest
from hypothesis import HealthCheck, find, given, settings  # noqa: F401

from tests.reliability import fuzz
from tests.reliability.fuzz_table import GROUPS

QUIET = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


def failures_of(entry):
    """(number of cases tried, what went wrong) for an entry."""
    found, tried = {}, 0

    @settings(max_examples=entry.cases, **QUIET)
    @given(fuzz.changes(entry))
    def run(change):
        nonlocal tried
        tried += 1
        complaint = fuzz.complaint(entry, change)
        if complaint:
            found[str(change)] = complaint

    run()
    return tried, found


@pytest.mark.parametrize("group", GROUPS)
def test_bad_inputs_raise_documented_errors_and_write_nothing(group, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong, tried = {}, 0
    for entry in GROUPS[group]():
        cases, found = failures_of(entry)
        tried += cases
        wrong |= {f"{entry.name} {change}": text for change, text in found.items()}
    print(f"{tried} bad inputs to {group}: {len(wrong)} wrong")
    assert not wrong, "\n".join(f"{k}\n    {v}" for k, v in list(wrong.items())[:60])
    assert not os.listdir(tmp_path)
