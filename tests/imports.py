"""What a script of the workflow imports, itself and through the modules of Kalemia, found by reading them."""

import ast
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate
from pathlib import Path

from conftest import ROOT


def packages_of(path: Path) -> set[str]:
    """The top-level names of the packages of others that a script needs.

    An import inside a function counts like any other, unless it leads to torch: modules that are of use with and
    without a network import torch, and what is built on it, only in the functions that are given a network.
    """
    modules = _reached(path, lambda module, at_once: at_once or not _needs_torch(module))
    return {_top(module) for module in modules} - sys.stdlib_module_names - {"kalemia"}


@cache
def _needs_torch(module: str) -> bool:
    """Whether torch is imported as soon as the module is."""
    path = _file_of(module)
    reached = _reached(path, lambda _, at_once: at_once) if path else {module}
    return "torch" in map(_top, reached)


def _reached(path: Path, follows: Callable[[str, bool], bool]) -> set[str]:
    """Every module that is imported from a file on, along the imports that are followed."""
    reached, waiting = set(), [path]
    while waiting:
        for module, at_once in _imports(waiting.pop()):
            if module not in reached and follows(module, at_once):
                reached.add(module)
                waiting += filter(None, [_file_of(module)])
    return reached


@cache
def _imports(path: Path) -> list[tuple[str, bool]]:
    """(module, whether it is imported as soon as the file is), packages before what is in them."""
    return [
        (module, at_once)
        for name, at_once in _named(ast.parse(path.read_text()), at_once=True)
        for module in accumulate(name.split("."), "{}.{}".format)
    ]


def _named(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
    """The names in the imports below a node, those for type checkers left out; a name may be less than a module."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, at_once) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((f"{node.module}.{alias.name}", at_once) for alias in node.names)
    elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from _named(child, at_once and not isinstance(node, ast.FunctionDef))


def _file_of(module: str) -> Path | None:
    """Where a module of Kalemia is written; None for anything else."""
    path = ROOT / "src" / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _top(module: str) -> str:
    return module.partition(".")[0]
