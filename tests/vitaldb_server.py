"""The files of VitalDB's servers, PhysioNet's copy and the web API, for its two studies.

Genuine: the table of cases, byte for byte; 20 rows of laboratory values; the minutes of ECG that are in the files.
Made by us, because no copy could be had: the other laboratory values, and the `.vital` files. Most of them repeat the
minute of case 5377, with a height and a noise of their own; three repeat the minute of another case as it is.
"""

import csv
import gzip
import hashlib
import io
from pathlib import Path

import numpy as np

from vital_writer import FILLER, write_vital

PHYSIONET, API = "vitaldb/1.0.0", "1.0.1"
GAIN_MV = 0.0098745  # of the genuine samples
MINUTES, DRAW_S = 8, 470  # of ECG in each file, and the time of the value
ARRHYTHMIAS = (337, 2040, 3098)
N_CASES = 20


def write_vitaldb_servers(root: Path, real_data: Path) -> dict[int, float]:
    """Write both copies below `root`; returns case -> potassium of the cases with a file and a made value."""
    shared, physionet = real_data / "vitaldb", root / PHYSIONET
    (physionet / "vital_files").mkdir(parents=True)
    (root / API).mkdir()
    table = gzip.decompress((shared / "cases.gz").read_bytes())
    values = {case: 6.2 + 0.05 * i if i % 2 else 4.0 + 0.02 * i for i, case in enumerate(_chosen(table))}
    labs = (shared / "labs_printed_rows.csv").read_bytes().decode().splitlines()
    for case, value in values.items():
        labs += [
            f"{case},-80000,k,4.4",
            f"{case},{DRAW_S},k,{value:.1f}",
            f"{case},{DRAW_S},na,139",
            f"{case},900000,k,4.2",
        ]
    for names, folder in ((("clinical_data.csv", "lab_data.csv"), physionet), (("cases", "labs"), root)):
        (folder / names[0]).write_bytes(table)
        (folder / names[1]).write_text("\n".join(labs) + "\n")
    for i, case in enumerate(values):
        path = physionet / f"vital_files/{case:04}.vital"
        write_vital(path, _packets(_ecg(shared, i, case)), gain=GAIN_MV)
        (root / API / f"{case}.vital").write_bytes(path.read_bytes())
    paths = sorted(path for path in physionet.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(physionet)}" for path in paths]
    (physionet / "SHA256SUMS.txt").write_text("\n".join(sums) + "\n")
    return values


def _chosen(table: bytes) -> list[int]:
    """Adults' cases with kidney transplantation, one of each person."""
    cases = {
        row["subjectid"]: int(row["caseid"])
        for row in csv.DictReader(io.StringIO(table.decode("utf-8-sig")))
        if row["opname"] == "Kidney transplantation" and float(row["age"]) >= 18
    }
    return sorted(cases.values())[:N_CASES]


def _ecg(shared: Path, i: int, case: int) -> np.ndarray:
    """The readings (n,) of a case: a genuine minute again and again."""
    genuine = ARRHYTHMIAS[i // 10] if i % 10 == 9 else 5377
    minute = np.load(shared / f"ecg_ii_case{genuine}_60s_500hz.npy") / GAIN_MV
    ecg = np.tile(minute, MINUTES)
    if genuine == 5377:
        random = np.random.default_rng(case)
        ecg = ecg * random.uniform(0.8, 1.2) + random.standard_normal(len(ecg))
    ecg = np.rint(ecg).astype("<i2")
    ecg[100_000 : 100_000 + 50 * i] = FILLER
    return ecg


def _packets(values: np.ndarray, n: int = 500) -> list[tuple[float, np.ndarray]]:
    return [(at / 500, values[at : at + n]) for at in range(0, len(values), n)]
