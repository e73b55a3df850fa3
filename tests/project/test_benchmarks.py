"""Benchmarks are run by hand; what they take from the package and from the tests must still be there."""

import ast
import importlib

import pytest

from conftest import ROOT

OURS = {"kalemia"} | {path.stem for folder in ("tests", "benchmarks") for path in (ROOT / folder).glob("*.py")}


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.name)
def test_what_a_benchmark_imports_of_ours_exists(path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if node.module.split(".")[0] in OURS]
    assert ours
    for node in ours:
        module = importlib.import_module(node.module)
        for name in (alias.name for alias in node.names):
            assert hasattr(module, name) or importlib.util.find_spec(f"{node.module}.{name}"), (node.module, name)
