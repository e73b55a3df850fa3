"""Draws lost between cohort and networks, by class and by potassium: simulated patients up to 10 mEq/L.

    python benchmarks/losses.py [PERSONAL] [GENERIC]

Simulates patients, then runs the stages cohort, excerpts and beats as a study does. A draw counts if it was
to be read and the simulation has not made it unusable on purpose: by poor electrodes, a missing lead or atrial
fibrillation, which do not depend on potassium. It is lost if its ECG was judged unusable. Of the default cohort few
draws are severe, so a second one has positive draws above 7 mEq/L only. Exits with 1 if the difference between the
classes is 3 points or more in one of the cohorts.
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
from kalemia.core.tables import read_json, read_table
from kalemia.simulate import TABLES, simulate_cohort
from kalemia.simulate.potassium_course import USABLE
from kalemia.sources.physionet import PhysioNet
from kalemia.stats.summaries import ratio
from kalemia.stats.tests_and_intervals import clopper_pearson

ROOT = Path(__file__).parent.parent
PERSONAL, GENERIC, PROCESSES = 24, 160, 2
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
    rhythms = {
        draw["draw_id"]: draw["rhythm"]
        for patient in read_json(folder / "truth.json")["patients"]
        for draw in patient["draws"]
        if patient["cause"] is None and draw["coverage"] in USABLE
    }
    return [row | {"rhythm": rhythms[row["draw_id"]]} for row in rows if row["draw_id"] in rhythms]


def describe_group(name: str, rows: list[dict]) -> str:
    """How many draws of a group were lost, with the exact 95% interval of their share, and why."""
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    n_lost = reasons.total()
    low, high = (100 * bound for bound in clopper_pearson(n_lost, len(rows)))
    why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    share = 100 * ratio(n_lost, len(rows))
    return f"{name:26s} {len(rows):6,} draws {n_lost:5,} lost {share:6.1f}% ({low:.1f} to {high:.1f})  {why}"


def difference_in_points(rows: list[dict]) -> tuple[float, float, float]:
    """Share of positive draws lost minus that of negative draws, in points, with its 95% interval.

    The hybrid score interval of Newcombe (Stat Med 1998;17:873), which holds if nothing is lost, too.
    """
    (positive, *bounds), (negative, *others) = (
        wilson_score([row["reason"] is not None for row in rows if row["label"] == label]) for label in (1, 0)
    )
    low = np.hypot(positive - bounds[0], others[1] - negative)
    high = np.hypot(bounds[1] - positive, negative - others[0])
    return tuple(100 * (positive - negative + np.array([0, -low, high])))


def wilson_score(lost: list[bool]) -> tuple[float, float, float]:
    """A share and its 95% interval (Wilson 1927)."""
    n, share, z = len(lost), np.mean(lost), 1.96
    center, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share, (center - half) / (1 + z**2 / n), (center + half) / (1 + z**2 / n)


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
    points, lowest, highest = difference_in_points(rows)
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
