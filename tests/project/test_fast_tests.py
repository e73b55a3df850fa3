"""Which tests `make check` runs, and with which examples continuous integration runs property tests."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from conftest import ROOT

PROFILE = "import conftest, hypothesis; s = hypothesis.settings(); print(s.derandomize, s.max_examples)"


def test_make_check_leaves_out_every_marker():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    markers = {marker.partition(":")[0] for marker in options["markers"]}
    (left_out,) = re.findall(r"^SLOW := (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(left_out.split(" or ")) == markers


@pytest.mark.parametrize(
    ("variables", "derandomize", "n_examples"),
    [({}, False, 100), ({"CI": "true"}, True, 100), ({"CI": "true", "HYPOTHESIS_PROFILE": "nightly"}, False, 1000)],
)
def test_property_tests_have_the_same_examples_in_continuous_integration(variables, derandomize, n_examples):
    others = {name: value for name, value in os.environ.items() if name not in ("CI", "HYPOTHESIS_PROFILE")}
    command = [sys.executable, "-c", PROFILE]
    run = subprocess.run(
        command, cwd=ROOT / "tests", env=others | variables, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [str(derandomize), str(n_examples)]
