"""The cohort stage on synthetic tables of the size of MIMIC-III, in one process: under three minutes and 2 GB.

    python benchmarks/cohort.py [ROWS]

46,000 people with 28 million laboratory rows, both potassium items, and one admission each; headers of 22,000
recordings of 10,000 of them on the local disk, some of which overlap. Made once, then measured twice.
"""

import dataclasses
import gzip
import json
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import yaml
from labevents import ITEMS, write_table

ROOT = Path(__file__).parent.parent
ROWS, PEOPLE, RECORDED_PEOPLE, RECORDINGS = 27_854_055, 46_000, 10_282, 22_317
DATABASE = "mimic3wdb-matched/1.0"
LEADS = ("II", "V", "ABP")


def write_other_tables(folder: Path) -> None:
    """The four small tables, in the same years as the laboratory rows."""
    rng = np.random.default_rng(1)
    subjects = subjects_with_rows()
    columns = {
        "PATIENTS": '"ROW_ID","SUBJECT_ID","GENDER","DOB","DOD","DOD_HOSP","DOD_SSN","EXPIRE_FLAG"',
        "ADMISSIONS": '"ROW_ID","SUBJECT_ID","HADM_ID","ADMITTIME","DISCHTIME","ETHNICITY"',
        "DIAGNOSES_ICD": '"ROW_ID","SUBJECT_ID","HADM_ID","SEQ_NUM","ICD9_CODE"',
        "PROCEDURES_ICD": '"ROW_ID","SUBJECT_ID","HADM_ID","SEQ_NUM","ICD9_CODE"',
    }
    codes = ("4019", "42731", "4280", "V4501", *(f"{code}" for code in range(2500, 2540)))
    rows = {
        "PATIENTS": [f'{i},{s},"M",2050-01-01 00:00:00,,,,0' for i, s in enumerate(subjects)],
        "ADMISSIONS": [
            f'{i},{s},{100_000 + i},{month_of(s)} 00:00:00,{month_of(s, last=True)} 23:59:00,"WHITE"'
            for i, s in enumerate(subjects)
        ],
        "DIAGNOSES_ICD": [
            f'{i},{subjects[i % len(subjects)]},,1,"{codes[rng.integers(len(codes))]}"' for i in range(650_000)
        ],
        "PROCEDURES_ICD": [f'{i},{s},,1,"3893"' for i, s in enumerate(np.repeat(subjects, 5))],
    }
    for name, header in columns.items():
        with gzip.open(folder / f"{name}.csv.gz", "wt", compresslevel=1) as file:
            file.write("\n".join([header, *rows[name]]) + "\n")


def subjects_with_rows() -> np.ndarray:
    return np.linspace(1, 99_998, PEOPLE).astype(int)


def month_of(subject: int, last: bool = False) -> str:
    """The first or last day of the month in which `labevents.write_table` puts a subject's rows."""
    return f"21{subject % 90 + 10}-{subject % 12 + 1:02d}-{27 if last else 1:02d}"


def write_headers(root: Path) -> None:
    """Master, layout and segment headers of recordings of 20 to 60 hours, of 8 segments each; no samples."""
    rng = np.random.default_rng(2)
    people = rng.choice(subjects_with_rows(), RECORDED_PEOPLE, replace=False)
    owners = np.sort(np.concatenate([people, rng.choice(people, RECORDINGS - len(people))]))
    names = []
    for number, subject in enumerate(owners.tolist(), start=3_000_001):
        start = datetime.fromisoformat(month_of(subject)) + timedelta(minutes=int(rng.integers(0, 26 * 1440)))
        name = f"p{subject:06d}-{start:%Y-%m-%d-%H-%M}"
        folder = root / DATABASE / f"p{subject // 10000:02d}" / f"p{subject:06d}"
        path = folder / f"{name}.hea"
        if path.exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        lengths = rng.integers(20 * 3600 * 125 // 8, 60 * 3600 * 125 // 8, 8).tolist()
        signals = "".join(f"{number}.dat 80 50/mV 8 0 0 0 0 {lead}\n" for lead in LEADS)
        lines = [f"{number}_layout 0"]
        (folder / f"{number}_layout.hea").write_text(f"{number}_layout {len(LEADS)} 125 0\n{signals}")
        for i, length in enumerate(lengths, start=1):
            lines.append(f"{number}_{i:04d} {length}")
            (folder / f"{number}_{i:04d}.hea").write_text(f"{number}_{i:04d} {len(LEADS)} 125 {length}\n{signals}")
        first = f"{name}/{len(lines)} {len(LEADS)} 125 {sum(lengths)} {start:%H:%M:%S}.000 {start:%d/%m/%Y}"
        path.write_text("\n".join([first, *lines]) + "\n")
        names.append(f"{folder.relative_to(root / DATABASE)}/{name}\n")
    (root / DATABASE / "RECORDS-waveforms").write_text("".join(names))


def run_one(folder: Path) -> None:
    import resource
    import time

    from kalemia.cohort.select_cohort import write_cohort
    from kalemia.core.config import Study
    from kalemia.core.tables import read_table
    from kalemia.sources.physionet import PhysioNet

    began, began_cpu = time.perf_counter(), time.process_time()
    study = Study.from_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    draws, subjects, unreadable = (folder / f"{name}.parquet" for name in ("draws", "subjects", "unreadable"))
    source, analyte = PhysioNet(folder, folder), dataclasses.replace(study.analyte, items=ITEMS)
    write_cohort(source, analyte, study.cohort, study.populations, 1, "", draws, subjects, unreadable)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = read_table(draws, "draws", ["candidate_population"])["candidate_population"]
    read = len(found) - found.null_count
    print(json.dumps({"draws": len(found), "read": read, "seconds": seconds, "cpu": cpu, "peak_mb": peak_mb}))


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_table(folder / "LABEVENTS.csv.gz", rows, subjects_with_rows())
        write_other_tables(folder)
        write_headers(folder)
        for _ in range(2):
            run = subprocess.run(
                [sys.executable, __file__, "--one", folder], capture_output=True, text=True, check=False
            )
            if run.returncode:
                sys.exit(run.stderr)
            one = json.loads(run.stdout.splitlines()[-1])
            print(
                f"{rows:,} rows, {RECORDINGS:,} recordings: {one['draws']:,} draws, {one['read']:,} read;"
                f" {one['seconds']:.0f} s, {one['cpu']:.0f} s of processor, peak {one['peak_mb']:,.0f} MB"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
