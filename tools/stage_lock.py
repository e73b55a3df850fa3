"""Compare the code of each stage with stages.lock.json, so that nobody forgets to raise a stage's version.

A stage's code is the scripts of its rules, the modules of Kalemia that they import, and the package data that these
read. Comments, docstrings and formatting do not count. The lock file holds the version of each stage and a hash of each
module. `make lint` runs this check, `make lock` updates the lock file.
"""

import argparse
import ast
import hashlib
import json
import re
import runpy
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from import_walker import SourceTree, parse

ROOT = Path(__file__).parents[1]
LOCK = "stages.lock.json"
VERSIONS = "src/kalemia/core/stage_versions.py"
# In these modules the declaration of a setting does not count, because its value is in the digests of the stages that
# use it; nor do the arguments that only document a table or column.
DECLARATIONS = ("src/kalemia/core/config.py", "src/kalemia/core/settings/", "src/kalemia/core/schemas/")
DOCUMENTATION_ARGUMENTS = {"Column": (2, 3), "Table": (2,), "JsonFile": (1,)}
# the rules name the digest of a stage, or of a stage and an arm
DIGEST = re.compile(r'study\.(?:digest\("(\w+)"\)|(\w+)_digest)')
STAGE_OF_DIGEST = {"arm": "personal"}
MOST_NAMED = 5


def main() -> int:
    """Check or update the lock file of this checkout; the exit status is 1 if there are problems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the lock file")
    parser.add_argument(
        "--same-output",
        nargs="*",
        default=[],
        metavar="STAGE",
        help="with --update: stages (or all) whose code changed but whose output did not",
    )
    arguments = parser.parse_args()
    same_output = {name for names in arguments.same_output for name in names.split(",")}
    problems = update_lock(ROOT, same_output) if arguments.update else check_lock(ROOT)
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return bool(problems)


def check_lock(root: Path) -> list[str]:
    """One line per stage that is not as the lock file has it."""
    lock, versions, files = _read_lock(root), stage_versions(root), _files_of_stages(root)
    hashes = _hashes(root, files)
    problems = _unexplained(lock, versions, files, hashes, same_output=set())
    if not problems and lock != _lock(versions, hashes):
        raised = [stage for stage in versions if lock["stages"].get(stage) != versions[stage]]
        problems = [f"{LOCK} is out of date ({', '.join(raised) or 'modules'}): run `make lock` and commit it"]
    return problems


def update_lock(root: Path, same_output: set[str]) -> list[str]:
    """Write the lock file, unless a stage's code changed without a word; returns one line per such stage."""
    lock, versions, files = _read_lock(root), stage_versions(root), _files_of_stages(root)
    if unknown := same_output - versions.keys() - {"all"}:
        return [f"no stage is called {', '.join(sorted(unknown))}; there are {', '.join(versions)}"]
    hashes = _hashes(root, files)
    problems = _unexplained(lock, versions, files, hashes, same_output)
    if not problems:
        (root / LOCK).write_text(json.dumps(_lock(versions, hashes), indent=1) + "\n", "utf-8")
    return problems


def stage_versions(root: Path) -> dict[str, int]:
    """The version of each stage, as the checkout declares it."""
    declared = runpy.run_path(str(root / VERSIONS))["STAGE_VERSIONS"]
    return {stage: entry.version for stage, entry in declared.items()}


def scripts_of_stages(root: Path) -> dict[str, list[Path]]:
    """The scripts of the rules whose digest is the stage's."""
    scripts: dict[str, list[Path]] = {}
    for path in sorted((root / "rules").glob("*.smk")):
        for rule in re.split(r"^ *(?:rule|checkpoint) \w+:$", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            script = re.search(r'^ +script:\s+"\.\./(.+)"$', rule, flags=re.MULTILINE)
            digest = DIGEST.search(rule)
            if script and digest:
                stage = digest[1] or STAGE_OF_DIGEST.get(digest[2], digest[2])
                scripts.setdefault(stage, []).append(root / script[1])
    return scripts


def _unexplained(
    lock: dict[str, dict],
    versions: dict[str, int],
    files: dict[str, dict[str, Path]],
    hashes: dict[str, str],
    same_output: set[str],
) -> list[str]:
    """One line per stage whose code changed while its version stayed, and whose output nobody said is the same."""
    problems = []
    for stage, version in versions.items():
        changed = [name for name in files[stage] if lock["modules"].get(name) != hashes[name]]
        locked = lock["stages"].get(stage, 0)
        if version < locked:
            problems.append(f"{stage}: version {version} is lower than {locked} in {LOCK}; versions only rise")
        elif changed and version == locked and not same_output & {stage, "all"}:
            more = [f"{len(changed) - MOST_NAMED} more"] if len(changed) > MOST_NAMED else []
            problems.append(
                f"{stage}: changed in {', '.join(changed[:MOST_NAMED] + more)}; if the output changes, raise version"
                f" {version} in {VERSIONS} and run `make lock`; if not, run `make lock SAME_OUTPUT={stage}`"
            )
    return problems


def _files_of_stages(root: Path) -> dict[str, dict[str, Path]]:
    """Stage -> name -> path of the code and package data that it is made of."""
    tree, scripts, files = SourceTree(root), scripts_of_stages(root), {}
    for stage in stage_versions(root):
        paths: set[Path] = set()
        for script in scripts[stage]:
            paths |= {script, *tree.modules_of(script).values()}
        paths |= {data for path in paths for data in _data_files(tree, path)}
        names = {str(path.relative_to(root)).removeprefix("src/"): path for path in paths}
        files[stage] = {name: names[name] for name in sorted(names) if names[name] != root / VERSIONS}
    return files


def _data_files(tree: SourceTree, module: Path) -> Iterator[Path]:
    """The data files that a string in the module names, and in the folder of a package all that is not Python."""
    for name in _named_data_files(module.read_text("utf-8")):
        yield from (path for path in [tree.source / "kalemia" / name] if path.is_file())
    if module.name == "__init__.py":
        yield from (path for path in module.parent.iterdir() if path.is_file() and path.suffix != ".py")


@cache
def _named_data_files(text: str) -> list[str]:
    strings = (node.value for node in ast.walk(parse(text)) if isinstance(node, ast.Constant))
    return [string for string in strings if isinstance(string, str) and string.startswith("data/")]


def _hashes(root: Path, files: dict[str, dict[str, Path]]) -> dict[str, str]:
    paths = {name: path for of_stage in files.values() for name, path in of_stage.items()}
    return {name: _hash(paths[name], root) for name in sorted(paths)}


def _hash(path: Path, root: Path) -> str:
    if path.suffix == ".py":
        return _hash_of_code(path.read_text("utf-8"), str(path.relative_to(root)).startswith(DECLARATIONS))
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@cache
def _hash_of_code(text: str, is_declaration: bool) -> str:
    parts: list[str] = []
    _append_code(parts, parse(text), is_declaration)
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def _append_code(parts: list[str], node, is_declaration: bool) -> None:
    """Append a syntax tree as text that has no documentation and is the same in every version of Python."""
    if isinstance(node, list):
        for item in node:
            _append_code(parts, item, is_declaration)
    elif isinstance(node, ast.AST):
        parts.append(f"({type(node).__name__}")
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                value = [part for part in value if not _is_docstring(part)]
                if is_declaration and isinstance(node, ast.ClassDef):
                    value = [part for part in value if not isinstance(part, ast.AnnAssign)]
            if name == "args" and is_declaration and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                documentation = DOCUMENTATION_ARGUMENTS.get(node.func.id, ())
                value = [argument for place, argument in enumerate(value) if place not in documentation]
            if value not in (None, []) and name not in ("ctx", "kind", "type_comment"):
                parts.append(f" {name}=")
                _append_code(parts, value, is_declaration)
        parts.append(")")
    else:
        parts.append(repr(node))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _read_lock(root: Path) -> dict[str, dict]:
    path = root / LOCK
    try:
        return json.loads(path.read_text("utf-8")) if path.is_file() else {"stages": {}, "modules": {}}
    except ValueError:
        sys.exit(f"{LOCK} cannot be read; after a merge conflict keep one side and run `make lock` again")


def _lock(versions: dict[str, int], hashes: dict[str, str]) -> dict[str, dict]:
    return {"stages": versions, "modules": hashes}


if __name__ == "__main__":
    sys.exit(main())
