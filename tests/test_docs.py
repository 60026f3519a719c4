"""The documents tell the truth: their code runs, their names exist, their links lead somewhere."""

import importlib
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tfmmd
from tfmmd import models, networks, priors
from trainers import __main__ as trainers_command
from trainers import systems

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [path for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))) if BLOCK.search(path.read_text())]
WITH_SERVER = "serving.md"
ROOMS = [importlib.import_module(f"tfmmd.{m.name}") for m in pkgutil.iter_modules(tfmmd.__path__)]


def run_blocks(page, text):
    """Runs the Python of a page from top to bottom, as one module."""
    names = {"__name__": "documents"}
    for block in BLOCK.findall(text):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != WITH_SERVER], ids=lambda p: p.name)
@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks(page, page.read_text())


@pytest.mark.serving
def test_the_code_of_the_serving_page_runs_against_a_server(tmp_path, monkeypatch):
    from export import saved_model, server

    monkeypatch.chdir(tmp_path)
    model = models.GMMN(networks.gmmn_generator(3, (8, 8, 1), hidden=(8,)), priors.Uniform(3))
    saved_model.save(model, tmp_path / "models", "gmmn")
    text = (DOCS / WITH_SERVER).read_text()
    with server.running(tmp_path / "models") as handle:
        run_blocks(WITH_SERVER, text.replace("127.0.0.1:8500", handle.grpc_address))


def test_every_equation_names_code_that_exists():
    names = re.findall(r"`((?:tfmmd|trainers)\.[\w.]+)`", (DOCS / "math.md").read_text())
    assert len(names) > 30
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.glob("*.md")], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_reference_key_is_in_the_bibliography():
    keys = set(re.findall(r"@\w+\{(\w+),", (DOCS / "references.bib").read_text()))
    used = set(re.findall(r"\[([a-z]+\d{4})\]", (DOCS / "math.md").read_text()))
    for path in (ROOT / "tfmmd").rglob("*.py"):
        used |= set(re.findall(r"\[([a-z]+\d{4})\]", path.read_text()))
    assert used <= keys, sorted(used - keys)


def test_the_readme_has_every_system_with_its_class_and_command():
    text = (ROOT / "README.md").read_text()
    for name in systems.names():
        row = next(line for line in text.splitlines() if f"trainers run {name}`" in line)
        assert getattr(models, re.findall(r"`(\w+)`", row)[0])


@pytest.mark.parametrize("picture", sorted(DOCS.glob("images/systems/*.png")), ids=lambda p: p.name)
def test_pictures_of_systems_are_small_and_stand_in_their_row(picture):
    assert picture.stat().st_size < 30_000
    rows = (ROOT / "README.md").read_text().splitlines()
    row = next(line for line in rows if f"trainers run {picture.stem}`" in line)
    assert f"docs/images/systems/{picture.name}" in row


@pytest.mark.parametrize("page", PAGES + [DOCS / "examples.md"], ids=lambda p: p.name)
def test_commands_of_the_page_exist_and_their_options_too(page, capsys):
    """Every `python -m trainers ...` line parses; shell variables and pipes are cut off."""
    for line in re.findall(r"^(?:    )?python -m trainers (.*)$", page.read_text(), re.MULTILINE):
        words = re.split(r"\s+[&|>#]", line)[0].split()
        assert trainers_command.parser().parse_args(words).command


@pytest.mark.parametrize("module", ROOMS, ids=lambda m: m.__name__)
def test_every_public_name_is_in_the_reference(module):
    pages = "\n".join(path.read_text() for path in (DOCS / "api").glob("*.md"))
    name = module.__name__
    if not hasattr(module, "__all__"):
        assert f"`{name}`" in pages or f"::: {name}" in pages or name in INNER
        return
    assert f"::: {name}\n" in pages
    for public in module.__all__:
        if inspect.isfunction(getattr(module, public)) and importlib.util.find_spec(f"{name}.{public}"):
            # a module of the same name hides the function: it needs a line of its own
            assert f"::: {name}.{public}.{public}\n" in pages, public


INNER = ("tfmmd.checks", "tfmmd.registry", "tfmmd.version")  # for those who extend the package


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("mkdocs") is None, reason="mkdocs is not installed: pip install 'tfmmd[docs]'"
)
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0 and "WARNING" not in result.stderr, result.stderr
    page = (tmp_path / "site" / "api" / "kernels.html").read_text()
    assert 'id="tfmmd.kernels.Gaussian"' in page
