"""The documents tell the truth: their code runs and their names exist."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "guide.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    names = {"__name__": "documents"}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)


def test_every_equation_names_code_that_exists():
    names = re.findall(r"`(tfmmd\.[\w.]+)`", (ROOT / "docs" / "math.md").read_text())
    assert len(names) > 30
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_reference_key_is_in_the_bibliography():
    keys = set(re.findall(r"@\w+\{(\w+),", (ROOT / "docs" / "references.bib").read_text()))
    used = set(re.findall(r"\[([a-z]+\d{4})\]", (ROOT / "docs" / "math.md").read_text()))
    for path in (ROOT / "tfmmd").rglob("*.py"):
        used |= set(re.findall(r"\[([a-z]+\d{4})\]", path.read_text()))
    assert used <= keys, sorted(used - keys)
