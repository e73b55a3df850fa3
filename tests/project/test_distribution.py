"""The sdist and the wheel: they hold every file of the packages, and the wheel runs outside a checkout."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from conftest import ROOT
from kalemia import __version__
from kalemia.core.config_files import SETTINGS_FILE, config_text
from kalemia.core.tables import write_text
from model_folders import write_model
from report_fixture import PERSONAL, write_results

BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
PACKAGES = ("kalemia", "snakemake_logger_plugin_kalemia")
RECORD = ROOT / "tests/own/ward-3"


def _files(folder: Path) -> set[str]:
    """The files of the packages below a folder."""
    paths = {path for name in PACKAGES for path in (folder / name).rglob("*") if path.is_file()}
    return {str(path.relative_to(folder)) for path in paths if "__pycache__" not in path.parts}


def _build(what: str, checkout: Path, out: Path) -> Path:
    subprocess.run([sys.executable, "-c", BUILD, what, str(out)], cwd=checkout, capture_output=True, check=True)
    return out / next(path.name for path in out.iterdir() if path.suffix in (".gz", ".whl"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The unpacked sdist of a copy of the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    with tarfile.open(_build("build_sdist", folder, folder / "dist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    return folder / f"unpacked/kalemia-{__version__}"


@pytest.fixture(scope="module")
def site(sdist, tmp_path_factory):
    """A folder of packages with the unpacked wheel of the sdist."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(_build("build_wheel", sdist, folder / "dist")) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _kalemia(site: Path, *arguments: str | Path) -> str:
    """Run a command with the wheel's packages, in a folder where there is no checkout; returns what it printed."""
    program = (
        "import sys, kalemia; assert sys.path[1] in kalemia.__file__; import kalemia.cli; sys.exit(kalemia.cli.main())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    run = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=site.parent,
        env=environment | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_changelog_and_the_citation_name_the_version():
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert versions[0] == __version__
    assert versions[-1] == "0.1.0"
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.slow
def test_sdist_and_wheel_hold_every_file_of_the_packages(sdist, site):
    assert _files(sdist / "src") == _files(ROOT / "src")
    assert _files(site) == _files(ROOT / "src")
    (entry_points,) = site.glob("*.dist-info/entry_points.txt")
    assert "kalemia = kalemia.cli:main" in entry_points.read_text()


@pytest.mark.slow
def test_the_installed_package_runs_outside_a_checkout(site, study, tmp_path):
    assert "Research use only" in _kalemia(site, "--help")
    assert "minute 0:" in _kalemia(site, "beats", RECORD, "--lead", "MLII", "--out", tmp_path / "beats.parquet")
    model = write_model(tmp_path / "model")
    recording = ("--record", RECORD, "--lead", "MLII")
    assert "window" in _kalemia(site, "predict", "--model", model, *recording, "--out", tmp_path / "windows.csv")
    write_results(tmp_path / "results", study, PERSONAL[:1], ())
    write_text(tmp_path / "results" / SETTINGS_FILE, config_text(study))
    _kalemia(site, "report", "--from", tmp_path / "results", "--to", tmp_path / "copy")
    assert "<html" in (tmp_path / "copy/report.html").read_text()
