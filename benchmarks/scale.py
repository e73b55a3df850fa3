"""How long Snakemake takes to lay out the jobs of many personal patients, two arms and five rounds.

    python benchmarks/scale.py --patients 200

The tables of a cohort are made up, so that the checkpoints are done, and nothing of the ECG is there: laid out is every
job from the excerpts to the report. Nothing is run. Processor time is printed too.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from kalemia.dictionary import MORE_TABLES, TABLES
from kalemia.schemas import SCHEMAS
from kalemia.tables import table_from_rows, write_json, write_table

ROOT = Path(__file__).parents[1]
N_DRAWS = 26


def write_cohort(results: Path, n_personal: int, n_generic: int) -> None:
    """What the checkpoints leave behind, for people with labels in runs of three."""
    (results / "source/mimic3wdb-matched").mkdir(parents=True)
    for name in (*TABLES, *MORE_TABLES):
        path = results / f"source/mimiciii/1.4/{name}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    subjects, populations, personal, generic = [], [], [], []
    for i in range(n_personal + n_generic):
        subject, kind = 200_001 + i, "personal" if i < n_personal else "generic"
        subjects.append({"subject_id": subject, "candidate": kind})
        split = None if kind == "personal" else ("train", "validation", "test")[i % 3]
        populations.append({"subject_id": subject, "population": kind, "split": split})
        if kind == "generic":
            generic.append({"subject_id": subject, "draw_id": i, "label": i % 2, "split": split})
        personal += [_draw(subject, k) for k in range(N_DRAWS) if kind == "personal"]
    tables = {"subjects": subjects, "populations": populations, "personal": personal, "generic": generic}
    for kind, rows in tables.items():
        write_table(results / f"cohort/{kind}.parquet", kind, table_from_rows(kind, rows))
    for kind in ("draws", "unreadable"):
        write_table(results / f"cohort/{kind}.parquet", *_empty("draws" if kind == "draws" else "ledger"))
    write_json(results / "cohort/flow.json", {"steps": []})
    write_json(results / "source/truth.json", {})


def _empty(kind: str):
    return kind, SCHEMAS[kind].empty_table()


def _draw(subject: int, k: int) -> dict:
    time_ = datetime(2150, 1, 1) + timedelta(hours=6 * k)
    about = {"subject_id": subject, "draw_id": 1000 * subject + k, "draw_time": time_}
    return about | {"label": (k // 3) % 2, "hadm_id": 1, "recording": f"r{k // 3}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--generic", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder) / "results", options.patients, options.generic)
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
        command += ["--workflow-profile", ROOT / "profiles/default", "--configfile", ROOT / "config.yaml", "--dry-run"]
        command += ["--quiet", "rules", "--rerun-triggers", "mtime"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    lines = [line.split() for line in run.stdout.splitlines()]
    counts = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()}
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{counts.pop('total')} jobs: {wall_s:.1f} s on the clock, {processor_s:.1f} s of processor time")
    print(", ".join(f"{name} {n}" for name, n in counts.items()))


if __name__ == "__main__":
    main()
