"""Time and memory that Snakemake needs to plan a study of many people: the whole of `snakemake --dry-run`.

    python benchmarks/scale.py --subjects 5400 --personal 300 --profile slurm

The tables of a cohort are made up and every other file is empty: planning reads only tables. It is timed at each stand
of a study: nothing done, the cohort known, the populations known, and all done. Nothing is run. Processor time is
printed too, because it says more where other work runs, and of that what the graph of jobs alone took to build.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.core.tables import table_from_rows, write_json, write_table
from kalemia.sources.mimic_codes import OPTIONAL_TABLES, TABLES

ROOT = Path(__file__).parents[1]
STUDY = Study.from_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
N_DRAWS = 26
# Snakemake's command line, which also prints how long it built the graph.
SNAKEMAKE = """
import time
from snakemake.cli import main
from snakemake.workflow import Workflow
build = Workflow._build_dag
def timed(workflow):
    began = time.process_time()
    build(workflow)
    print(f"graph of jobs: {time.process_time() - began} s")
Workflow._build_dag = timed
main()
"""


def write_source(results: Path, _subjects: dict[int, str]) -> None:
    """What the simulation leaves behind, without content."""
    (results / "source/mimic3wdb-matched").mkdir(parents=True)
    (results / "source/mimiciii/1.4").mkdir(parents=True)
    for name in (*TABLES, *OPTIONAL_TABLES):
        (results / f"source/mimiciii/1.4/{name}.csv.gz").touch()
    write_json(results / "source/truth.json", {})


def write_cohort(results: Path, subjects: dict[int, str]) -> None:
    """What the first checkpoint leaves behind."""
    rows = [{"subject_id": subject, "candidate_population": population} for subject, population in subjects.items()]
    for name, kind, of_kind in (("subjects", "subjects", rows), ("draws", "draws", []), ("unreadable", "ledger", [])):
        write_table(results / f"cohort/{name}.parquet", kind, table_from_rows(kind, of_kind), STUDY.digest("cohort"))


def write_populations(results: Path, subjects: dict[int, str]) -> None:
    """Beats, and what the second checkpoint leaves behind, for people with labels in runs of three."""
    for folder in ("excerpts", "beats"):
        (results / folder).mkdir()
    for subject in subjects:
        (results / f"excerpts/{subject_name(subject)}.parquet").touch()
    for subject in subjects:
        (results / f"beats/{subject_name(subject)}.parquet").touch()
        (results / f"beats/{subject_name(subject)}.quality.parquet").touch()
    splits = {subject: ("train", "validation", "test")[subject % 3] for subject in subjects}
    tables = {
        "populations": [
            {"subject_id": subject, "population": of, "split": splits[subject] if of == "generic" else None}
            for subject, of in subjects.items()
        ],
        "generic": [
            {"subject_id": subject, "draw_id": subject, "label": subject % 2, "split": splits[subject]}
            for subject, of in subjects.items()
            if of == "generic"
        ],
        "personal": [_draw(subject, k) for subject, of in subjects.items() if of == "personal" for k in range(N_DRAWS)],
    }
    for kind, rows in tables.items():
        write_table(results / f"cohort/{kind}.parquet", kind, table_from_rows(kind, rows), STUDY.digest("populations"))
    write_json(results / "cohort/flow.json", {"steps": []})


def _draw(subject: int, k: int) -> dict:
    about = {"subject_id": subject, "draw_id": 1000 * subject + k, "label": (k // 3) % 2, "hadm_id": 1}
    return about | {"draw_time": datetime(2150, 1, 1) + timedelta(hours=6 * k), "recording": f"r{k // 3}"}


def plan(folder: Path, profile: str, *options: str) -> str:
    """Print how long a dry run took, and return what it said."""
    command = [sys.executable, "-c", SNAKEMAKE, "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--workflow-profile", ROOT / "profiles" / profile, "--configfile", ROOT / "config.yaml", "--dry-run"]
    began = time.perf_counter()
    with subprocess.Popen([*map(str, command), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        said = run.stdout.read().decode()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        sys.exit(said)
    (graph_s,) = re.findall(r"graph of jobs: ([\d.]+) s", said)
    total = re.findall(r"^total +(\d+)$", said, flags=re.MULTILINE)
    print(
        f"{total[-1] if total else 0:>7} jobs to run, {time.perf_counter() - began:6.1f} s on the clock,"
        f" {used.ru_utime + used.ru_stime:6.1f} s of processor time ({float(graph_s):.1f} s the graph),"
        f" {used.ru_maxrss / 1024:6.0f} MB",
        flush=True,
    )
    return said


def touch_outputs(folder: Path, said: str) -> None:
    """Make every file that a dry run names as an output, in its order."""
    for names in re.findall(r"^    output: (.+)$", said, flags=re.MULTILINE):
        for name in names.split(", "):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=5400)
    parser.add_argument("--personal", type=int, default=300, help="of them, with networks of their own")
    parser.add_argument("--profile", choices=("default", "slurm"), default="default", help="slurm groups the jobs")
    options = parser.parse_args()
    subjects = {200_001 + i: "personal" if i < options.personal else "generic" for i in range(options.subjects)}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        writers = {"source": write_source, "cohort": write_cohort, "populations": write_populations}
        print(f"{options.subjects} subjects, {options.personal} of them personal, profiles/{options.profile}")
        for name, write in writers.items():
            write(folder / "results", subjects)
            print(f"{name + ' done':<18}", end="", flush=True)
            said = plan(folder, options.profile)
        touch_outputs(folder, said)
        print(f"{'all done':<18}", end="", flush=True)
        plan(folder, options.profile)


if __name__ == "__main__":
    main()
