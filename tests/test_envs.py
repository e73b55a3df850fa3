import pytest
import yaml

from conftest import ROOT

CONDA_NAME_OF = {"matplotlib-base": "matplotlib", "pytorch": "torch"}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_conda_pins_are_those_of_the_constraints(path):
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    packages = [package.split("=") for package in yaml.safe_load(path.read_text())["dependencies"]]
    assert len(packages) > 5
    for name, version in packages:
        if name != "python":
            assert pinned[CONDA_NAME_OF.get(name, name)] == version, name


def test_the_signal_environment_has_no_torch():
    assert "torch" not in (ROOT / "envs/signal.yaml").read_text().replace("no torch", "")
