"""The conda environments: the pins of the project, and every package that the scripts of the rules import."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from import_walker import SourceTree

CONDA_NAME_OF = {"isal": "python-isal", "matplotlib": "matplotlib-base", "torch": "pytorch"}
CONDA_NAME_OF["snakemake"] = "snakemake-minimal"
DISTRIBUTIONS = packages_distributions()
SOURCE = SourceTree(ROOT)
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


def _pins(path: Path) -> dict[str, str]:
    """Of an environment: conda's name of a package -> its version. pip installs Kalemia itself."""
    packages = yaml.safe_load(path.read_text())["dependencies"]
    return dict(package.split("=") for package in packages if package != "pip")


def _environments() -> dict[Path, Path]:
    """Of every rule that has a script: the script -> the rule's environment, as paths."""
    environments = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(r"^ *(?:rule|checkpoint) \w+:$", path.read_text(), flags=re.MULTILINE)[1:]:
            files = re.findall(r'^ +(?:conda|script):\s+"(.+)"$', rule, flags=re.MULTILINE)
            if len(files) == 2:
                environment, script = (path.parent / file for file in files)
                environments[script.resolve()] = environment.resolve()
    return environments


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_conda_pins_are_those_of_the_constraints(path):
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    of_conda = {CONDA_NAME_OF.get(name, name): version for name, version in pinned.items()} | {"python": "3.11"}
    pins = _pins(path)
    assert len(pins) > 5
    assert pins == {name: of_conda.get(name) for name in pins}


def test_every_script_belongs_to_a_rule_with_an_environment():
    assert sorted(_environments()) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_environment_has_every_package_that_the_scripts_of_its_rules_import(script):
    names = [name.lower() for package in SOURCE.packages_of(script) for name in DISTRIBUTIONS[package]]
    missing = {CONDA_NAME_OF.get(name, name) for name in names} - _pins(_environments()[script]).keys()
    assert not missing


def test_imports_are_found_in_functions_and_through_modules():
    packages = {path.stem: SOURCE.packages_of(path) for path in SCRIPTS}
    assert {"edfio", "wfdb"} <= packages["excerpts_of_batch"]  # in functions of kalemia.sources.signal_files
    assert {"safetensors", "sklearn", "torch"} <= packages["explanation"]
    assert "torch" not in packages["score_generic"]  # kalemia.network.predictions imports it for networks alone


def test_the_environment_with_snakemake_has_every_dependency_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert {CONDA_NAME_OF.get(name, name) for name in needed} <= _pins(ROOT / "envs/kalemia.yaml").keys()


def test_the_container_is_made_from_the_lock_and_copies_what_its_context_holds():
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes --requirement requirements.lock" in text
    assert "--constraint constraints.txt" in text
    (version,) = re.findall(r"^FROM python:([\d.]+)-", text, flags=re.MULTILINE)
    assert version == _pins(ROOT / "envs/kalemia.yaml")["python"]
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", text, flags=re.MULTILINE) for name in line.split()]
    kept = (ROOT / ".dockerignore").read_text().split("\n!")[1:]
    assert {name.split("\n")[0] for name in kept} == set(copied)
    assert all((ROOT / name).exists() for name in copied)


def test_the_signal_environment_has_no_torch():
    assert "pytorch" not in _pins(ROOT / "envs/signal.yaml")
