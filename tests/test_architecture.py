"""The house: imports run downwards, files and functions stay small, the library has no assert."""

import ast
import configparser
import functools
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for package in ("tfmmd", "trainers", "export") for p in (ROOT / package).rglob("*.py"))
BY_PATH = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))

EVERYWHERE = {"checks", "seeds", "distribute", "registry", "version"}
MAY_IMPORT = {
    "kernels": set(),
    "discrepancies": {"kernels"},
    "priors": set(),
    "optimizers": set(),
    "layers": {"discrepancies", "kernels"},
    "networks": {"layers"},
    "objectives": {"discrepancies", "kernels"},
    "penalties": {"discrepancies", "kernels", "objectives", "layers"},
    "metrics": {"discrepancies", "kernels", "networks"},
    "models": {
        "objectives",
        "penalties",
        "discrepancies",
        "kernels",
        "priors",
        "layers",
        "optimizers",
        "data",
    },
    "data": set(),
    "callbacks": {"metrics", "data", "discrepancies", "kernels"},
    "checks": set(),
    "seeds": set(),
    "distribute": set(),
    "registry": set(),
    "version": set(),
}


@functools.cache
def tree(path):
    return ast.parse(path.read_text())


def imported(path):
    """Dotted names that a file imports, at any depth."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
    """The part of tfmmd that a file belongs to, None outside."""
    parts = path.relative_to(ROOT).parts
    return Path(parts[1]).stem if parts[0] == "tfmmd" and parts[1] != "__init__.py" else None


@BY_PATH
def test_imports_run_downwards(path):
    own = room(path)
    names = [name.split(".") for name in imported(path)]
    if own:
        assert not [n for n in names if n[0] in ("trainers", "export", "tests", "benchmarks")]
        used = {n[1] for n in names if n[0] == "tfmmd" and len(n) > 1} - {own}
        assert used <= MAY_IMPORT[own] | EVERYWHERE, used - MAY_IMPORT[own] - EVERYWHERE


@BY_PATH
def test_files_have_at_most_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


@BY_PATH
def test_functions_have_at_most_40_lines_of_body(path):
    long = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body and body[-1].end_lineno - body[0].lineno + 1 > 40:
                long.append(node.name)
    assert not long


@BY_PATH
def test_the_library_has_no_assert(path):
    assert not [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]


@BY_PATH
def test_every_file_and_public_name_has_a_docstring(path):
    bare = [] if ast.get_docstring(tree(path)) else ["module"]
    for node in tree(path).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            bare += [] if ast.get_docstring(node) else [node.name]
    if path.parent.name == "trainers":
        bare = [
            name for name in bare if name not in ("build", "compile_model")
        ]  # the recipe's docstring says them
    assert not bare


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def declared():
    """Distributions that installing the package brings, and those of its extra for searches."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"] + setup["options.extras_require"]["tune"]
    return {canonical(re.match(r"[\w.-]+", line).group()) for line in lines.split("\n") if line}


@functools.cache
def owners_of(module):
    """Installed distributions that hold a module."""
    return {canonical(owner) for owner in _owners()[module]}


@functools.cache
def _owners():
    return metadata.packages_distributions()


@BY_PATH
def test_what_a_file_imports_is_declared(path):
    names = {name.partition(".")[0] for name in imported(path)} - set(sys.stdlib_module_names)
    for name in names - {"tfmmd", "trainers", "export"}:
        assert declared() & owners_of(name), name
