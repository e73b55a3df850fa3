"""The workflow as a module of another one, as docs/running.md shows it."""

import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT
from kalemia.core.tables import read_table

pytestmark = pytest.mark.workflow


@pytest.fixture
def outer(tmp_path):
    """Another workflow, its text that of the documentation."""
    (snakefile,) = re.findall(r"```python\n(configfile.+?)```", (ROOT / "docs/running.md").read_text(), re.DOTALL)
    assert len([line for line in snakefile.splitlines() if line.strip()]) <= 14
    (tmp_path / "Snakefile").write_text(snakefile)
    (tmp_path / "kalemia").symlink_to(ROOT)
    (tmp_path / "study.yaml").write_text((ROOT / "tests/studies/tiny.yaml").read_text())
    return tmp_path


def _run(folder, *arguments):
    command = [sys.executable, "-m", "snakemake", "--directory", folder, "--snakefile", folder / "Snakefile"]
    command = map(str, [*command, "--cores", "2", *arguments])
    return subprocess.run(list(command), capture_output=True, text=True, timeout=600, check=False)


def _snakemake(folder, *arguments):
    run = _run(folder, *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def test_another_workflow_plans_all_of_it_below_its_prefix(outer):
    said = _snakemake(outer, "--dry-run", "kalemia_all")
    assert {"kalemia_simulate", "kalemia_generic", "kalemia_study_report"} <= set(re.findall(r"kalemia_\w+", said))
    outputs = re.findall(r"^    output: (.+)$", said, flags=re.MULTILINE)
    assert outputs
    assert all(path.startswith("potassium/results/") for paths in outputs for path in paths.split(", "))


def test_another_workflow_s_rules_use_its_files(outer):
    _snakemake(outer, "--", "size_of_draws.txt")
    draws = outer / "potassium/results/cohort/draws.parquet"
    assert int((outer / "size_of_draws.txt").read_text()) == draws.stat().st_size
    subject = read_table(outer / "potassium/results/cohort/subjects.parquet", "subjects")["subject_id"][0].as_py()
    _snakemake(outer, "--", f"potassium/results/beats/p{subject:06d}.parquet")
    assert len(read_table(outer / f"potassium/results/beats/p{subject:06d}.quality.parquet", "quality"))
    assert not (outer / "results").exists()

    shutil.rmtree(outer / ".snakemake")  # as if the results had come from elsewhere
    (outer / "study.yaml").write_text((ROOT / "tests/studies/tiny.yaml").read_text() + "seed: 99\n")
    run = _run(outer, "--dry-run", "kalemia_all")
    assert run.returncode != 0
    assert "potassium/results/cohort/draws.parquet: was made with other settings" in run.stdout + run.stderr
