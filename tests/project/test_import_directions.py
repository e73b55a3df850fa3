"""Imports between the packages of `kalemia` point one way: down the list of docs/design and LAYERS."""

import ast
from pathlib import Path

import pytest

from conftest import ROOT

SOURCE = ROOT / "src/kalemia"
# a package imports those after it, never one before it; the modules at the root may import all of them
LAYERS = (
    "monitor",
    "report",
    "explanation",
    "evaluation",
    "models",
    "personal",
    "network",
    "beats",
    "cohort",
    "ecg",
    "simulate",
    "sources",
    "stats",
    "core",
)
MOST_MODULES, MOST_LINES = 14, 400


def _package(path: Path) -> str | None:
    """The package of a module; None for a module at the root."""
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else None


def _imported_packages(text: str) -> set[str]:
    """The packages of kalemia that a module imports anywhere in it; "" for a module at the root."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import without the package's name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names if name.startswith("kalemia.")]
    return {part[1] if (SOURCE / part[1]).is_dir() else "" for part in parts if part[1] != "__version__"}


def _upward(package: str, text: str) -> set[str]:
    below = LAYERS[LAYERS.index(package) :]
    return {name for name in _imported_packages(text) if name not in below}


def test_every_package_has_its_place():
    assert {_package(path) for path in SOURCE.rglob("*.py")} - {None} == set(LAYERS)


@pytest.mark.parametrize("package", LAYERS)
def test_no_import_points_up(package):
    upward = {
        str(path.relative_to(SOURCE)): names
        for path in (SOURCE / package).rglob("*.py")
        if (names := _upward(package, path.read_text()))
    }
    assert upward == {}


def test_an_import_that_points_up_is_seen():
    assert _upward("stats", "def f():\n    from kalemia.report.html import page\n") == {"report"}
    assert _upward("core", "import kalemia.cli") == {""}
    assert _upward("report", "from kalemia.core import config\nfrom kalemia import __version__") == set()


def test_no_folder_has_too_many_modules_and_no_module_too_many_lines():
    folders = [SOURCE, *(path for path in SOURCE.rglob("*") if path.is_dir())]
    modules = {folder: [p for p in folder.glob("*.py") if p.name != "__init__.py"] for folder in folders}
    assert {str(folder): len(paths) for folder, paths in modules.items() if len(paths) > MOST_MODULES} == {}
    lengths = {path: len(path.read_text().splitlines()) for paths in modules.values() for path in paths}
    assert {str(path): n for path, n in lengths.items() if n > MOST_LINES} == {}
