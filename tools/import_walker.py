"""Find the modules that a script imports, directly and through the modules of Kalemia, by reading the files."""

import ast
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate
from pathlib import Path

Follows = Callable[[str, bool], bool]


class SourceTree:
    """The Python files of a checkout; the imports of each are found once."""

    def __init__(self, root: Path) -> None:
        self.source = root / "src"
        self._imports: dict[Path, list[tuple[str, bool]]] = {}

    def packages_of(self, script: Path) -> set[str]:
        """The top-level names of the third-party packages that a script needs.

        An import inside a function counts like any other, unless it leads to torch: modules that are of use with and
        without a network import torch, and what is built on it, only in the functions that are given a network.
        """
        modules = self._reached(script, lambda module, at_once: at_once or not self._needs_torch(module))
        return {_top_level(module) for module in modules} - sys.stdlib_module_names - {"kalemia"}

    def modules_of(self, script: Path) -> dict[str, Path]:
        """The modules of Kalemia that a script reaches, by name."""
        modules = self._reached(script, lambda module, _: _top_level(module) == "kalemia")
        return {module: path for module in sorted(modules) if (path := self.file_of(module))}

    def file_of(self, module: str) -> Path | None:
        """The file of a module of Kalemia; None for anything else."""
        path = self.source / module.replace(".", "/")
        return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)

    def _needs_torch(self, module: str) -> bool:
        """Whether torch is imported as soon as the module is."""
        path = self.file_of(module)
        reached = self._reached(path, lambda _, at_once: at_once) if path else {module}
        return "torch" in map(_top_level, reached)

    def _reached(self, path: Path, follows: Follows) -> set[str]:
        """Every module that is imported from a file on, along the imports that are followed."""
        reached: set[str] = set()
        waiting = [path]
        while waiting:
            for module, at_once in self._imports_of(waiting.pop()):
                if module not in reached and follows(module, at_once):
                    reached.add(module)
                    waiting += filter(None, [self.file_of(module)])
        return reached

    def _imports_of(self, path: Path) -> list[tuple[str, bool]]:
        if path not in self._imports:
            text = path.read_text("utf-8")
            named = [name for package in _packages_imported_by_name(text) for name in self._modules_in(package)]
            self._imports[path] = [*_imports_in(text), *((name, False) for name in named)]
        return self._imports[path]

    def _modules_in(self, package: str) -> list[str]:
        folder = self.source / package.replace(".", "/")
        return [f"{package}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


@cache
def parse(text: str) -> ast.Module:
    """The syntax tree of a module, parsed once per text."""
    return ast.parse(text)


@cache
def _imports_in(text: str) -> list[tuple[str, bool]]:
    """(module, whether it is imported as soon as the file is), packages before the modules in them."""
    return [
        (module, at_once)
        for name, at_once in _imported_names(parse(text), at_once=True)
        for module in accumulate(name.split("."), "{}.{}".format)
    ]


@cache
def _packages_imported_by_name(text: str) -> list[str]:
    """The packages of which a module imports any module, by `import_module(f"kalemia.package.{name}")`."""
    calls = (node for node in ast.walk(parse(text)) if isinstance(node, ast.Call) and node.args)
    names = (call.args[0] for call in calls if ast.unparse(call.func).endswith("import_module"))
    starts = (name.values[0] for name in names if isinstance(name, ast.JoinedStr))
    return [start.value.rstrip(".") for start in starts if isinstance(start, ast.Constant) and start.value]


def _imported_names(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
    """The names in the imports below a node, without those for type checkers; a name may be less than a module."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, at_once) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((f"{node.module}.{alias.name}", at_once) for alias in node.names)
    elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from _imported_names(child, at_once and not isinstance(node, ast.FunctionDef))


def _top_level(module: str) -> str:
    return module.partition(".")[0]
