"""The examples run, in their short mode, and leave their picture."""

import runpy
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parent.parent
NAMES = sorted(
    path.stem for path in (ROOT / "examples").glob("*.py") if path.stem not in ("__init__", "common")
)
SAYS = {
    "anomaly": "area under the ROC curve",
    "bandwidth": "bandwidth too small",
    "domain_adaptation": "on shifted digits",
    "fast_simulator": "times faster",
    "few_labels": "and unlabelled digits",
    "tabular": "trained on sampled rows",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error::UserWarning")
def test_the_example_prints_its_numbers_and_draws_its_picture(name, tmp_path, monkeypatch, capsys):
    keras.utils.clear_session()  # names of layers begin anew, as in a new process
    monkeypatch.setattr(sys, "argv", [name, "--quick", "--out", str(tmp_path)])
    runpy.run_module(f"examples.{name}", run_name="__main__")
    assert SAYS[name] in capsys.readouterr().out
    assert (tmp_path / f"{name}.png").stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_the_example(name):
    page = (ROOT / "docs" / "examples.md").read_text()
    assert f"python -m examples.{name}" in page
