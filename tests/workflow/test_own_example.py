"""The worked example of docs/own-recordings.md, as the page tells it."""

import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conftest import ROOT
from kalemia.core.tables import read_table
from run_workflow import run_snakemake

NAMED = 1_946_796_711  # HN-0042
SUBJECTS = (1, 2, NAMED)
pytestmark = pytest.mark.workflow
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
    for subject in SUBJECTS:
        (row,) = read_table(example / f"beats/p{subject:06d}.quality.parquet", "quality").to_pylist()
        assert row["reason"] is None
        assert row["heart_rate_bpm"] == pytest.approx(60, abs=0.5)
        assert row["n_kept"] > 50


def test_the_ledger_says_what_the_page_shows(example):
    rows = read_table(example / "cohort/ledger.parquet", "ledger").to_pylist()
    assert [(row["subject_id"], row["draw_id"], row["reason"]) for row in rows] == [
        (4, 5, "no recording"),
        (NAMED, None, "no header"),
        (NAMED, 4, "not recording at the time"),
    ]
    lines = (example / "cohort/ledger.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["subject", "4", "HN-0042", "HN-0042"]
    page = (ROOT / "docs/own-recordings.md").read_text()
    for row in rows:
        assert row["reason"] in page


def test_the_page_shows_the_example_s_files_as_they_are():
    page = (ROOT / "docs/own-recordings.md").read_text()
    for name in ("recordings.csv", "potassium.csv"):
        assert (ROOT / "tests/own" / name).read_text() in page


def test_the_log_says_how_times_were_compared(example):
    assert "compared as they are written" in (example / "logs/cohort.log").read_text()


@pytest.fixture
def copy(example, tmp_path, monkeypatch):
    """The example as it was run, to be changed, and the working directory."""
    folder = tmp_path / "copy"
    shutil.copytree(example.parents[1], folder)
    monkeypatch.chdir(folder)
    return folder


def _ran(folder, *arguments, config=None):
    run = run_snakemake(folder, *arguments, studies=STUDIES, config=config)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def _digests(kind):
    paths = sorted(Path(f"results/example/{kind}").glob("p*.parquet"))
    return {path.name: pq.read_metadata(path).metadata[b"kalemia.digest"] for path in paths}


def _planned(folder):
    """The rules that a dry run lists."""
    return set(re.findall(r"^(\w+) +\d+$", _ran(folder, "--dry-run", LEDGER), flags=re.MULTILINE)) - {"total"}


def test_making_one_subject_leaves_its_neighbors_to_be_made(copy):
    change = {"cohort": {"min_recorded_minutes": 0.9}, "ecg": {"stopband_db": 60.0}}
    before = _digests("beats"), _digests("excerpts")
    _ran(copy, "results/example/beats/p000001.parquet", config=change)
    _ran(copy, LEDGER, config=change)
    after = _digests("beats"), _digests("excerpts")
    for old, new in zip(before, after, strict=True):
        assert old.keys() == new.keys()
        assert len(set(new.values())) == 1
        assert set(new.values()).isdisjoint(old.values())


def test_decisions_reach_the_neighbors_of_a_subject_that_was_a_target(copy):
    lines = "".join(f"{subject},{subject},reject,somebody,\n" for subject in (1, 2))
    Path("decisions.csv").write_text(f"subject_id,draw_id,decision,reviewer,note\n{lines}")
    change = {"review": {"decisions": "decisions.csv"}}
    for target in ("results/example/beats/p000001.parquet", LEDGER):
        _ran(copy, target, config=change)
    for subject, review in ((1, "reject"), (2, "reject"), (NAMED, None)):
        (row,) = read_table(f"results/example/beats/p{subject:06d}.quality.parquet", "quality").to_pylist()
        assert row["review"] == review


def test_a_recording_that_is_changed_later_is_read_again(copy):
    path = Path("tests/own/monitor.csv")
    head, *values = path.read_text().splitlines()
    path.write_text("\n".join([head, *(f"{-float(value):.4g}" for value in values)]) + "\n")
    assert "cohort" in _planned(copy)
    before = {n: _first_mv(n) for n in SUBJECTS}
    _ran(copy, LEDGER)
    assert (_first_mv(1), _first_mv(2), _first_mv(NAMED)) == (
        before[1],
        before[2],
        pytest.approx(-before[NAMED], rel=0.01),
    )
    assert _planned(copy) == set()


def _first_mv(subject):
    return read_table(f"results/example/excerpts/p{subject:06d}.parquet", "excerpts")["ecg_mv"][0].as_py()[100]


def test_a_missing_table_of_the_cohort_hides_no_other_missing_file(copy):
    Path("results/example/cohort/unreadable.parquet").unlink()
    shutil.rmtree("results/example/excerpts")
    _ran(copy, "all_excerpts")
    assert len(_digests("excerpts")) == 3


def test_an_error_after_the_start_of_a_run_is_reported(tmp_path):
    shutil.copytree(ROOT / "tests/own", tmp_path / "tests/own")
    run = run_snakemake(tmp_path, "results/example/beats/p000009.parquet", studies=STUDIES)
    assert run.returncode != 0
    assert "p000009: none of its draws is read" in run.stderr
    change = {"results": "results/other", "review": {"decisions": "lost.csv"}}
    run = run_snakemake(tmp_path, LEDGER, studies=STUDIES, config=change)
    assert "lost.csv does not exist; a file of decisions needs" in run.stderr
    assert not (tmp_path / "results/other").exists()


def test_a_recording_that_is_put_in_place_later_is_read(copy):
    shutil.copy("tests/own/monitor.csv", "tests/own/lost.csv")
    assert "cohort" in _planned(copy)
    _ran(copy, LEDGER)
    rows = read_table(LEDGER, "ledger").to_pylist()
    assert [(row["subject_id"], row["recording"], row["reason"]) for row in rows] == [
        (4, None, "no recording"),
        (NAMED, "lost.csv", "class not used for the patient"),
    ]
