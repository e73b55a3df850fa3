"""The files of PhysioNet's server for `studies/mimic4-demo.yaml`: genuine tables, simulated ECGs.

Genuine: the tables of MIMIC-IV demo 2.2 and their sums, byte for byte; who had an ECG at which minute, from the list of
MIMIC-IV-ECG 1.0. Made by us, because no copy could be had: the samples, and the numbers of studies in the demo's form.
"""

import csv
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.csv as arrow_csv
import wfdb

ECG, TABLES = "mimic-iv-ecg-demo/0.1", "mimic-iv-demo/2.2"
LIST = "mimic-iv-ecg/record_list_1.0_demo-subjects.csv"
LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")  # in the order of the database
RATE_HZ, SECONDS = 500, 10
# center (ms after the R peak), width (ms), height (mV) of the waves of lead II
WAVES = ((-160, 22, 0.12), (-22, 8, -0.08), (0, 10, 1.0), (24, 9, -0.2), (290, 45, 0.25))


def write_mimic4_server(root: Path, real_data: Path, hours: float) -> None:
    """Write both databases below `root`, with samples of the ECGs that have a potassium value within `hours`."""
    shutil.copytree(real_data / "mimiciv-demo", root / TABLES)
    values = potassium_values(real_data)
    (root / ECG).mkdir(parents=True)
    with (root / ECG / "record_list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["subject_id", "study_id", "file_name", "ecg_time", "path"])
        for number, (subject, time) in enumerate(listed_ecgs(real_data), start=100_000_001):
            name = f"files/p{subject}/s{number}/{number}"
            rows.writerow([subject, number, number, time, name])
            near = [(abs((at - time).total_seconds()), value) for at, value, _ in values.get(subject, ())]
            if near and min(near)[0] <= 3600 * hours:
                write_ecg(root / ECG / name, min(near)[1], number)


def listed_ecgs(real_data: Path) -> list[tuple[int, datetime]]:
    """Subject and time of every ECG of the demo's people."""
    with (real_data / LIST).open(newline="") as file:
        return [(int(row["subject_id"]), datetime.fromisoformat(row["ecg_time"])) for row in csv.DictReader(file)]


def potassium_values(real_data: Path) -> dict[int, list[tuple[datetime, float, str]]]:
    """Subject -> time, value and comment of every potassium value of the demo; read by arrow, not by Kalemia."""
    table = arrow_csv.read_csv(real_data / "mimiciv-demo/hosp/labevents.csv.gz")
    values: dict[int, list[tuple[datetime, float, str]]] = {}
    for row in table.select(["subject_id", "itemid", "charttime", "valuenum", "comments"]).to_pylist():
        if row["itemid"] in (50971, 50822) and row["valuenum"] is not None:
            values.setdefault(row["subject_id"], []).append((row["charttime"], row["valuenum"], row["comments"] or ""))
    return values


def write_ecg(path: Path, potassium: float, seed: int) -> None:
    """Ten seconds of twelve leads, in the form of the database; the T wave grows with potassium."""
    path.parent.mkdir(parents=True)
    random = np.random.default_rng(seed)
    at_ms = 1000 * np.arange(RATE_HZ * SECONDS) / RATE_HZ
    rr_ms = random.uniform(650, 1000)
    beat_mv = np.zeros(len(at_ms))
    for r_ms in np.arange(random.uniform(200, 600), at_ms[-1], rr_ms):
        for center, width, height in WAVES:
            tall = 1 + max(0.0, potassium - 4.5) if center == WAVES[-1][0] else 1.0
            beat_mv += tall * height * np.exp(-0.5 * ((at_ms - r_ms - center) / width) ** 2)
    leads_mv = np.outer(beat_mv, np.where(np.array(LEADS) == "aVR", -0.5, 1.0))
    leads_mv += 0.01 * random.standard_normal(leads_mv.shape)
    wfdb.wrsamp(
        path.name, fs=RATE_HZ, units=["mV"] * 12, sig_name=list(LEADS), p_signal=leads_mv, fmt=["16"] * 12,
        adc_gain=[200.0] * 12, baseline=[0] * 12, write_dir=str(path.parent),
    )  # fmt: skip
