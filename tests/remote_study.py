"""A cohort and its excerpts from a mirror on the web, as a process of its own that a test can kill."""

import sys
from pathlib import Path

import yaml

from kalemia.beats.excerpts import write_excerpts
from kalemia.cohort.select_cohort import write_cohort
from kalemia.core.config import Study
from kalemia.core.tables import read_table
from kalemia.sources.physionet import DATABASE, PhysioNet
from kalemia.sources.remote.http_files import Web
from kalemia.sources.storage import HttpStorage

ROOT = Path(__file__).parent.parent


def remote(url: str, cache: Path, tables: Path | None = None, **settings) -> PhysioNet:
    """A source that gives up quickly."""
    settings = {"attempts": 3, "timeout_s": 0.5, "connections": 2, "pause_s": 0.01} | settings
    web = Web(f"{url}/{DATABASE}", **settings)
    return PhysioNet(HttpStorage(web, cache / DATABASE), tables, settings["connections"])


def write_study(source: PhysioNet, folder: Path, min_recorded_minutes: float = 5.0) -> None:
    """Draws, subjects, unreadable recordings and every subject's excerpts below `folder`."""
    study = Study.from_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    draws, subjects = folder / "draws.parquet", folder / "subjects.parquet"
    write_cohort(
        source, study.analyte, study.cohort, study.populations, 1, "", draws, subjects, folder / "unreadable.parquet"
    )  # fmt: skip
    for subject in read_table(subjects, "subjects")["subject_id"].to_pylist():
        write_excerpts(source, draws, subject, "II", min_recorded_minutes, "", folder / f"p{subject:06d}.parquet")


if __name__ == "__main__":
    url, cache, tables, folder = sys.argv[1:]
    write_study(remote(url, Path(cache), Path(tables)), Path(folder))
