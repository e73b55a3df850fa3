"""A study that is killed goes on where it was, by the same command, and takes no file of other settings."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from snakemake.persistence.file import FilePersistence

from kalemia.core.config import Study
from kalemia.core.config_files import merge_config
from kalemia.core.runs.digests import expected_digest
from kalemia.core.tables import read_json, table_digest
from killed_study import wait_for_the_end_of
from run_workflow import ROOT, contents_of, run_snakemake, snakemake_command

pytestmark = pytest.mark.workflow
TINY = ("tests/studies/tiny.yaml",)
POPULATIONS = "results/cohort/populations.parquet"


def _run(folder: Path, *arguments: str, config: dict | None = None):
    return run_snakemake(folder, *arguments, studies=TINY, config=config)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    run = _run(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def _start(folder: Path) -> subprocess.Popen:
    with (folder / "said.txt").open("w") as said:
        command = snakemake_command(folder, POPULATIONS, studies=TINY)
        return subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)


def _wait_for(pattern: str, folder: Path, process: subprocess.Popen) -> None:
    while not any(folder.glob(pattern)):
        assert process.poll() is None, (folder / "said.txt").read_text()
        time.sleep(0.01)


def test_a_study_killed_while_batches_are_made_goes_on_by_the_same_command(finished, tmp_path):
    """The whole group while excerpts are read, then Snakemake alone while beats are made."""
    for stage in ("excerpts", "beats"):
        process = _start(tmp_path)
        _wait_for(f"results/{stage}/.batch-*.part/*.parquet", tmp_path, process)
        if stage == "excerpts":
            os.killpg(process.pid, signal.SIGSTOP)  # or it may end while the second starts
            second = _run(tmp_path, POPULATIONS)  # refused, and it deletes nothing of the first
            assert second.returncode != 0
            assert "cannot be locked" in second.stdout + second.stderr
            assert process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        wait_for_the_end_of(process.pid)
    parts = list(tmp_path.glob("results/*/.batch-*"))
    assert parts
    assert _run(tmp_path, "--dry-run", POPULATIONS).returncode == 0
    assert list(tmp_path.glob("results/*/.batch-*")) == parts
    run = _run(tmp_path, POPULATIONS)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "kalemia: deleted what an earlier run left unfinished" in run.stdout + run.stderr
    assert list(tmp_path.glob("results/*/.batch-*")) == []
    made, expected = (contents_of(folder / "results") for folder in (tmp_path, finished))
    # folders of batches may stay after an interruption, as links (docs/running.md)
    assert [name for name in made if "/batch-" not in name and made[name] != expected[name]] == []


@pytest.mark.parametrize(
    ("patterns", "changes"),
    [
        (["beats/p*.parquet"], {"beats": {"max_per_draw": 30}}),
        (["personal/paper/*/round-[12]/*", "personal/paper/*/nulls/*"], {"arms": {"paper": {"epochs": 2}}}),
    ],
)
def test_a_file_that_a_job_finished_after_the_kill_is_not_taken_for_one_of_other_settings(
    finished, tmp_path, monkeypatch, patterns, changes
):
    """Snakemake has marked it before the job and has no record of it, and the settings have changed since."""
    folder = tmp_path / "study"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    records, results = FilePersistence(), Path("results")
    left = [path for pattern in patterns for path in results.glob(pattern)]
    assert len(left) > 5
    for path in left:
        records._mark_incomplete(str(path), None)
        records._delete_record(str(path))
    run = _run(folder, config=changes)
    assert run.returncode == 0, run.stdout + run.stderr
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for more in (yaml.safe_load((ROOT / TINY[0]).read_text()), changes):
        config = merge_config(config, more)
    study = replace(Study.from_config(config), results="results")
    stale = [
        path for path in results.rglob("*.parquet") if expected_digest(study, path) not in (None, table_digest(path))
    ]
    assert stale == []


def test_an_input_of_other_settings_that_snakemake_does_not_see_ends_the_job_in_one_line(finished, tmp_path):
    """As --rerun-triggers mtime or lost records make it happen."""
    shutil.copytree(finished, tmp_path / "study")
    target = next(path for path in finished.glob("results/personal/paper/*/split.json") if read_json(path)["rounds"])
    arguments = ["--rerun-triggers", "mtime", "-R", "split", "--", str(target.relative_to(finished))]
    run = _run(tmp_path / "study", *arguments, config={"beats": {"max_per_draw": 30}})
    said = run.stdout + run.stderr
    assert run.returncode != 0
    lines = [line for line in said.splitlines() if line.startswith(f"kalemia: results/beats/{target.parent.name}")]
    assert lines
    assert all("was made with other settings" in line and line.endswith("delete it and run again") for line in lines)
    assert "Traceback" not in said
