"""A mirror made of real files: the demo's clinical tables, and real ICU recordings placed before its people's draws.

The ECG and the potassium of a draw belong to different people. What is learned from such a mirror is therefore
nothing about potassium: it proves that real files pass through the workflow, and doubles as a null.
"""

import csv
import gzip
import hashlib
import shutil
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from kalemia.cohort.labs import build_draws
from kalemia.core.config import Analyte
from kalemia.sources.mimic_tables import analyte_rows, excluded_by_code
from mirror import DATABASE, record_name, write_record

PERSONAL = 10059  # 8 positive and 12 negative draws when both items count
UNFIT = (1, 13, 17, 24, 25)  # of BIDMC: clipped at the ends of the recorder's range, 17 also fibrillating
EXCERPT = timedelta(minutes=6)
RATE_HZ = 125
# of the demo's people, those with matched waveforms by public scripts; the real list was not at hand
MATCHED = "10013 10042 10045 10061 10083 10124 40601 41976 42033 42075 42199 42302 43798 43870 44083"
DEMO_TABLES = "mimiciii-demo/1.4"


def write_real_mirror(root: Path, real_data: Path, analyte: Analyte) -> dict[str, int]:
    """Assemble the mirror below `root`; returns the subjects who carry the two real multi-segment records."""
    tables = real_data / "mimiciii-demo"
    coded = excluded_by_code(tables)
    draws = build_draws(analyte_rows(tables, analyte.items), analyte).to_pylist()
    usable = [draw for draw in draws if draw["reason"] is None and draw["subject_id"] not in coded]
    positive = {draw["subject_id"] for draw in usable if draw["label"] == 1}
    negative = sorted({draw["subject_id"] for draw in usable if draw["label"] == 0} - positive)
    wanted = [draw for draw in usable if draw["subject_id"] == PERSONAL or draw["label"] == 1]
    first = {}
    for draw in usable:
        if draw["subject_id"] in negative and draw["label"] == 0:
            first.setdefault(draw["subject_id"], draw)
    complete, incomplete = negative[:2]
    wanted += [draw for subject, draw in first.items() if subject not in (complete, incomplete)]
    for number, draw in enumerate(_apart(wanted), start=3_000_001):
        _write_bidmc(root, real_data / "bidmc", draw, number)
    _place(root, real_data / "mimic3wdb/s25047", "s25047-2704-05-04-10-44", complete, first[complete], 300_000)
    _place(root, real_data / "mimic3wdb/p000020", "p000020-2183-04-28-17-47", incomplete, first[incomplete], 500_000)
    return {"complete": complete, "incomplete": incomplete}


def write_demo_server(root: Path, real_data: Path, analyte: Analyte) -> None:
    """The files of PhysioNet's server for `studies/mimic3-demo.yaml` below `root`.

    Genuine: six tables, byte for byte, and the potassium of all. Made by us: LABEVENTS with potassium alone, the other
    tables of treatments in the form of the demo, their sums; and the recordings, BIDMC's, of at most five draws of a
    class and person.
    """
    tables, published = root / DEMO_TABLES, real_data / "mimiciii-demo-1.4"
    tables.mkdir(parents=True)
    for path in published.glob("*.csv"):
        shutil.copyfile(path, tables / path.name.replace(".potassium", ""))
    for name in ("INPUTEVENTS_MV", "INPUTEVENTS_CV", "PRESCRIPTIONS"):
        header, rest = gzip.decompress((real_data / f"mimiciii-demo/{name}.csv.gz").read_bytes()).split(b"\n", 1)
        (tables / f"{name}.csv").write_bytes(header.lower() + b"\n" + rest)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in sorted(tables.iterdir())]
    (tables / "SHA256SUMS.txt").write_text("".join(sums))
    people, taken = set(map(int, MATCHED.split())), Counter()
    draws = build_draws(analyte_rows(tables, analyte.items), analyte).to_pylist()
    usable = [draw for draw in draws if draw["reason"] is None and draw["subject_id"] in people]
    for number, draw in enumerate(_apart(usable), start=3_000_001):
        taken[draw["subject_id"], draw["label"]] += 1
        if draw["label"] is not None and taken[draw["subject_id"], draw["label"]] <= 5:
            _write_bidmc(root, real_data / "bidmc", draw, number)


def _apart(draws: list[dict]) -> list[dict]:
    """Draws of one subject at least eight minutes apart, so that every one has a recording of its own."""
    kept, last = [], {}
    for draw in sorted(draws, key=lambda draw: (draw["subject_id"], draw["draw_time"])):
        if draw["draw_time"] - last.get(draw["subject_id"], datetime.min) >= EXCERPT:
            kept.append(draw)
            last[draw["subject_id"]] = draw["draw_time"]
    return kept


def _write_bidmc(root: Path, bidmc: Path, draw: dict, number: int) -> None:
    """Six of a recording's eight minutes before the draw; a subject's draws of one day are of one person."""
    people = sorted(bidmc.glob("bidmc_*_Signals.csv.gz"))
    if draw["subject_id"] == PERSONAL:
        people = [path for path in people if int(path.name.split("_")[1]) not in UNFIT]
    day = draw["draw_time"].toordinal()
    lead_mv = _lead_ii(people[(draw["subject_id"] + day) % len(people)])
    n = round(EXCERPT.total_seconds() * RATE_HZ)
    offset = (number * 1999) % (len(lead_mv) - n)
    write_record(root, draw["subject_id"], draw["draw_time"] - EXCERPT, number, [({"II": lead_mv[offset:][:n]}, 50)])


@cache
def _lead_ii(path: Path) -> np.ndarray:
    with gzip.open(path, "rt") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        return np.array([float(row["II"]) for row in rows])


def _place(root: Path, folder: Path, master: str, subject_id: int, draw: dict, draw_sample: int) -> None:
    """A real record as one of `subject_id`, its clock set so that the draw was taken at sample `draw_sample`."""
    start = draw["draw_time"] - timedelta(seconds=draw_sample / RATE_HZ)
    name = record_name(subject_id, start)
    target = (root / DATABASE / name).parent
    shutil.copytree(folder, target, dirs_exist_ok=True)
    first, *rest = (target / f"{master}.hea").read_text().splitlines()
    fields = first.replace(master, Path(name).name).split()[:4]
    clock = [f"{start:%H:%M:%S}.{start.microsecond // 1000:03d}", f"{start:%d/%m/%Y}"]
    (root / DATABASE / f"{name}.hea").write_text("\n".join([" ".join(fields + clock), *rest]) + "\n")
    with (root / DATABASE / "RECORDS-waveforms").open("a") as file:
        file.write(f"{name}\n")
