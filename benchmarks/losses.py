"""Draws lost between cohort and networks, by class and by potassium: simulated patients up to 10 mEq/L.

    python benchmarks/losses.py [PERSONAL] [GENERIC]

Simulates patients, then runs the stages cohort, excerpts and beats as a study does. A draw counts if it was to be read.
It is lost if its ECG was not recorded (which does not depend on potassium) or was judged unusable. Of the default
cohort few draws are severe, so a second one has positive draws above 7 mEq/L only. The interval of the difference
between the classes resamples patients. Exits with 1 if it is 3 points or more in one of the cohorts.
"""

import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from kalemia.beats.excerpts import write_excerpts
from kalemia.beats.segment_beats import BeatSettings, write_beats
from kalemia.cohort.select_cohort import write_cohort
from kalemia.core.config import Range, Study
from kalemia.core.paths import subject_name
from kalemia.core.seeds import rng
from kalemia.core.tables import read_json, read_table
from kalemia.simulate import TABLES, simulate_cohort
from kalemia.sources.physionet import PhysioNet
from kalemia.stats.summaries import ratio
from kalemia.stats.tests_and_intervals import bootstrap_counts, clopper_pearson, expanded_interval

ROOT = Path(__file__).parent.parent
PERSONAL, GENERIC, PROCESSES, REPLICATES = 24, 160, 2, 2000
POSITIVE_ABOVE = (5.5, 7.0)  # mEq/L
BANDS = (0.0, 3.4, 5.0, 5.5, 6.5, 7.5, 8.5, 9.5, np.inf)
CLASSES = {1: "positive", 0: "negative", None: "neither"}
MOST_POINTS = 3.0


def quality_of_patient(folder: Path, study: Study, subject_id: int) -> list[dict]:
    """The rows of the quality table of one patient."""
    name, cohort = subject_name(subject_id), study.cohort
    excerpts, shard, quality = (folder / f"{name}{kind}.parquet" for kind in (".excerpts", "", ".quality"))
    source = PhysioNet(folder, folder / TABLES)
    write_excerpts(source, folder / "draws.parquet", subject_id, cohort.lead, cohort.min_recorded_minutes, "", excerpts)
    write_beats(excerpts, BeatSettings.from_study(study), {}, "", shard, quality)
    return read_table(quality, "quality").to_pylist()


def quality_of_cohort(folder: Path, study: Study) -> list[dict]:
    """The rows of the quality tables of a simulated cohort, with the simulated rhythm of each draw."""
    simulate_cohort(folder, study.simulation, study.analyte, study.seed, PROCESSES)
    tables = [folder / f"{name}.parquet" for name in ("draws", "subjects", "unreadable")]
    source = PhysioNet(folder, folder / TABLES)
    write_cohort(source, study.analyte, study.cohort, study.populations, study.seed, "", *tables)
    subjects = read_table(tables[1], "subjects")["subject_id"].to_pylist()
    with ProcessPoolExecutor(PROCESSES) as pool:
        rows = [row for of in pool.map(partial(quality_of_patient, folder, study), subjects) for row in of]
    patients = read_json(folder / "truth.json")["patients"]
    rhythms = {draw["draw_id"]: draw["rhythm"] for patient in patients for draw in patient["draws"]}
    return [row | {"rhythm": rhythms[row["draw_id"]]} for row in rows]


def describe_group(name: str, rows: list[dict]) -> str:
    """How many draws of a group were lost, with the exact 95% interval of their share, and why."""
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    n_lost = reasons.total()
    low, high = (100 * bound for bound in clopper_pearson(n_lost, len(rows)))
    why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    share = 100 * ratio(n_lost, len(rows))
    return f"{name:26s} {len(rows):6,} draws {n_lost:5,} lost {share:6.1f}% ({low:.1f} to {high:.1f})  {why}"


def difference_in_points(rows: list[dict]) -> tuple[float, tuple[float, float]]:
    """Share of positive draws lost minus that of negative draws, in points, with the interval over patients."""
    rows = [row for row in rows if row["label"] is not None]
    subjects = sorted({row["subject_id"] for row in rows})
    place = {subject: i for i, subject in enumerate(subjects)}
    counts = np.zeros((len(subjects), 2, 2))  # patient, class, (draws, lost)
    for row in rows:
        counts[place[row["subject_id"]], row["label"]] += 1, row["reason"] is not None
    times = bootstrap_counts(len(subjects), REPLICATES, rng(1, "losses"))
    of_class = np.concatenate([counts.sum(axis=0)[None], np.einsum("rs,scn->rcn", times, counts)])
    shares = 100 * of_class[..., 1] / of_class[..., 0]
    points = shares[:, 1] - shares[:, 0]
    return float(points[0]), expanded_interval(points[1:], len(subjects))


def measure_losses(study: Study) -> float:
    """Print what a study's simulated cohort loses; returns by how many points the classes differ."""
    with tempfile.TemporaryDirectory() as folder:
        rows = quality_of_cohort(Path(folder), study)
    print(f"\npositive above {study.analyte.positive.above:g} mEq/L")
    for label, name in CLASSES.items():
        print(describe_group(name, [row for row in rows if row["label"] == label]))
    for low, high in pairwise(BANDS):
        print(describe_group(f"{low:g} to {high:g} mEq/L", [row for row in rows if low < row["value"] <= high]))
    for rhythm in sorted({row["rhythm"] for row in rows}):
        print(describe_group(rhythm, [row for row in rows if row["rhythm"] == rhythm]))
    points, (lowest, highest) = difference_in_points(rows)
    print(f"positive minus negative: {points:.1f} points ({lowest:.1f} to {highest:.1f})", flush=True)
    return points


def main(n_personal: int, n_generic: int) -> None:
    study = Study.from_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    simulation = replace(study.simulation, personal_patients=n_personal, generic_patients=n_generic)
    studies = [
        replace(study, simulation=simulation, analyte=replace(study.analyte, positive=Range(above=above)))
        for above in POSITIVE_ABOVE
    ]
    sys.exit(max(abs(measure_losses(study)) for study in studies) >= MOST_POINTS)


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]]
    main(*(sizes + [PERSONAL, GENERIC][len(sizes) :]))
