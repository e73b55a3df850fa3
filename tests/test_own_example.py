"""The worked example of docs/own-recordings.md, as the page tells it."""

import shutil
from pathlib import Path

import pytest

from kalemia.cli import main
from kalemia.tables import read_table
from workflow import run_snakemake

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parent.parent
LEDGER = "results/example/cohort/ledger.parquet"
STUDIES = ("studies/own.yaml", "tests/own/study.yaml")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(ROOT / "tests/own", folder / "tests/own")
    run = run_snakemake(folder, LEDGER, studies=STUDIES)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results/example"


def test_every_format_gives_a_beat_a_second(example):
    for subject in (1, 2, 3):
        (row,) = read_table(example / f"beats/p{subject:06d}.quality.parquet", "quality").to_pylist()
        assert row["reason"] is None
        assert row["heart_rate_bpm"] == pytest.approx(60, abs=0.5)
        assert row["n_kept"] > 50


def test_the_ledger_says_what_the_page_shows(example):
    rows = read_table(example / "cohort/ledger.parquet", "ledger").to_pylist()
    assert [(row["subject_id"], row["draw_id"], row["reason"]) for row in rows] == [
        (3, None, "no header"),
        (3, 4, "not recording at the time"),
        (4, 5, "no recording"),
    ]
    page = (ROOT / "docs/own-recordings.md").read_text()
    for row in rows:
        assert row["reason"] in page


def test_the_page_shows_the_example_s_files_as_they_are():
    page = (ROOT / "docs/own-recordings.md").read_text()
    for name in ("recordings.csv", "potassium.csv"):
        assert (ROOT / "tests/own" / name).read_text() in page


def test_the_log_says_how_times_were_compared(example):
    assert "compared as they are written" in (example / "logs/cohort.log").read_text()


def test_a_recording_that_is_put_in_place_later_is_read(example, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(example.parents[1], folder)
    shutil.copy(folder / "tests/own/monitor.csv", folder / "tests/own/lost.csv")
    monkeypatch.chdir(folder)
    assert main(["status", "--configfile", *(str(ROOT / study) for study in STUDIES)]) == 0
    head, cohort = (line for line in capsys.readouterr().out.splitlines() if line.startswith(("stage", "cohort")))
    assert cohort.index("1") == head.index("stale")
    run = run_snakemake(folder, LEDGER, studies=STUDIES)
    assert run.returncode == 0, run.stdout + run.stderr
    rows = read_table(folder / LEDGER, "ledger").to_pylist()
    assert [(row["subject_id"], row["recording"], row["reason"]) for row in rows] == [
        (3, "lost.csv", "class not used for the patient"),
        (4, None, "no recording"),
    ]
