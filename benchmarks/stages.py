"""Time of the stages from the source to the populations in a finished study, and how much of it was start-up.

    snakemake --cores 2 --configfile studies/paper-scale.yaml --until populations
    python benchmarks/stages.py studies/paper-scale.yaml

Run in the folder where the study was run, if it was. Clock, processor time and memory are those that Snakemake wrote
down for each job; taking a subject's files out of its batch is not among them. Start-up is what the jobs took
more than the same work takes in a process that runs already: some excerpts and beats are made again here, in a folder
that is deleted.
"""

import argparse
import csv
import logging
import tempfile
import time
from pathlib import Path

import yaml

from kalemia.beats.excerpts import write_excerpts
from kalemia.beats.segment_beats import BeatSettings, write_beats
from kalemia.core.config import Study
from kalemia.core.config_files import merge_config
from kalemia.core.paths import subject_id
from kalemia.sources.registry import describe_source

ROOT = Path(__file__).parents[1]
# rule -> where its results lie
STAGES = {"simulate": "source", "cohort": "cohort", "excerpts_of_batch": "excerpts", "beats_of_batch": "beats"}
STAGES |= {"populations": None}


def jobs_of(results: Path, rule: str) -> list[dict]:
    """What each job of a rule took."""
    jobs = []
    for path in (results / "times" / rule).glob("**/*.tsv"):
        with path.open(newline="") as file:
            jobs += csv.DictReader(file, delimiter="\t")
    return jobs


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def processor_seconds(task, subjects: list[str]) -> float:
    """Of one subject, on average over some, after one that warms everything up."""
    task(subjects[0])
    began = time.process_time()
    for subject in subjects[1:]:
        task(subject)
    return (time.process_time() - began) / (len(subjects) - 1)


def work_seconds(study: Study, subjects: list[str], folder: Path) -> dict[str, float]:
    """Rule -> the processor time of one subject in a process that runs already."""
    source = describe_source(study).open()
    results, settings = Path(study.results), BeatSettings.from_study(study)

    def excerpts(subject: str) -> None:
        draws, minutes = results / "cohort/draws.parquet", study.cohort.min_recorded_minutes
        write_excerpts(source, draws, subject_id(subject), study.cohort.lead, minutes, "", folder / "excerpts")

    def beats(subject: str) -> None:
        excerpt = results / f"excerpts/{subject}.parquet"
        write_beats(excerpt, settings, {}, "", folder / "beats", folder / "quality")

    return {f"{task.__name__}_of_batch": processor_seconds(task, subjects) for task in (excerpts, beats)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, nargs="?", default=ROOT / "studies/paper-scale.yaml", help="an overlay")
    parser.add_argument("--subjects", type=int, default=50, help="whose excerpts and beats are made again")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    config = merge_config(*(yaml.safe_load(path.read_text()) for path in (ROOT / "config.yaml", options.study)))
    study = Study.from_config(config)
    results = Path(study.results)
    if not (results / "cohort/populations.parquet").exists():
        print(f"skipped: the study has not been run, {results / 'cohort/populations.parquet'} is not there")
        return
    subjects = sorted(path.stem for path in (results / "excerpts").glob("*.parquet"))
    with tempfile.TemporaryDirectory() as folder:
        work_s = work_seconds(study, subjects[: options.subjects + 1], Path(folder))
    print("| stage | jobs | clock, s | processor time, s | of it start-up | peak memory, MB | on disk, MB |")
    print("|---|---|---|---|---|---|---|")
    for rule, name in STAGES.items():
        jobs = jobs_of(results, rule)
        clock, used = (sum(float(job[column]) for job in jobs) for column in ("s", "cpu_s"))
        start_up = f"{1 - work_s[rule] * len(subjects) / used:.0%}" if rule in work_s else ""
        peak = max((float(job["max_rss_mb"]) for job in jobs), default=0)
        disk = f"{bytes_of(results / name) / 1e6:.1f}" if name else ""
        print(f"| {rule} | {len(jobs)} | {clock:.0f} | {used:.0f} | {start_up} | {peak:.0f} | {disk} |")


if __name__ == "__main__":
    main()
