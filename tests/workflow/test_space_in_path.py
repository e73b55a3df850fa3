"""A checkout, an environment and a working folder with a space in their names."""

import subprocess
import sys
from pathlib import Path

import pytest

from run_workflow import snakemake_command

pytestmark = pytest.mark.workflow


def test_jobs_run_in_a_folder_with_a_space_in_its_name(tmp_path):
    folder = tmp_path / "My Documents"
    folder.mkdir()
    (folder / "venv").symlink_to(sys.prefix)
    (_, *command) = snakemake_command(folder, "results/cohort/draws.parquet", studies=("tests/studies/tiny.yaml",))
    python = folder / "venv/bin" / Path(sys.executable).name
    run = subprocess.run([python, *command], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / "results/cohort/draws.parquet").exists()
