"""Small mirrors in PhysioNet's layout, for tests: WFDB records written by wfdb itself, and clinical tables."""

import gzip
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import wfdb

DATABASE = "mimic3wdb-matched/1.0"
HEADERS = {
    "PATIENTS": '"ROW_ID","SUBJECT_ID","GENDER","DOB","DOD","DOD_HOSP","DOD_SSN","EXPIRE_FLAG"',
    "ADMISSIONS": '"ROW_ID","SUBJECT_ID","HADM_ID","ADMITTIME","DISCHTIME","ETHNICITY"',
    "LABEVENTS": '"ROW_ID","SUBJECT_ID","HADM_ID","ITEMID","CHARTTIME","VALUE","VALUENUM","VALUEUOM","FLAG"',
    "DIAGNOSES_ICD": '"ROW_ID","SUBJECT_ID","HADM_ID","SEQ_NUM","ICD9_CODE"',
    "PROCEDURES_ICD": '"ROW_ID","SUBJECT_ID","HADM_ID","SEQ_NUM","ICD9_CODE"',
}
MORE_HEADERS = {
    "CHARTEVENTS": '"ROW_ID","SUBJECT_ID","HADM_ID","ICUSTAY_ID","ITEMID","CHARTTIME","VALUENUM","ERROR"',
    "INPUTEVENTS_MV": '"ROW_ID","SUBJECT_ID","STARTTIME","ENDTIME","ITEMID","AMOUNT","STATUSDESCRIPTION"',
    "INPUTEVENTS_CV": '"ROW_ID","SUBJECT_ID","CHARTTIME","ITEMID","AMOUNT","RATE"',
    "PRESCRIPTIONS": '"ROW_ID","SUBJECT_ID","STARTDATE","ENDDATE","DRUG"',
    "PROCEDUREEVENTS_MV": '"ROW_ID","SUBJECT_ID","STARTTIME","ENDTIME","ITEMID","STATUSDESCRIPTION"',
}


def record_name(subject_id: int, start: datetime) -> str:
    return f"p{subject_id // 10000:02d}/p{subject_id:06d}/p{subject_id:06d}-{start:%Y-%m-%d-%H-%M}"


def place_s25047(root: Path, real_data: Path) -> str:
    """The real record s25047 under a name that the database allows; returns the name."""
    name = "p02/p025047/p025047-2704-05-04-10-44"
    shutil.copytree(real_data / "mimic3wdb/s25047", (root / DATABASE / name).parent)
    header = (root / DATABASE / name).with_name("s25047-2704-05-04-10-44.hea").read_text()
    (root / DATABASE / f"{name}.hea").write_text(header.replace("s25047", "p025047"))
    (root / DATABASE / "RECORDS-waveforms").write_text(f"{name}\n")
    return name


def write_record(root: Path, subject_id: int, start: datetime, number: int, parts: list) -> str:
    """One multi-segment record at 125 Hz; returns its name.

    Each of `parts` is a gap (its number of samples) or a segment (lead -> samples in mV, gain).
    """
    name = record_name(subject_id, start)
    folder = root / DATABASE / Path(name).parent
    folder.mkdir(parents=True, exist_ok=True)
    leads = sorted({lead for part in parts if not isinstance(part, int) for lead in part[0]})
    lines, n_samples = [f"{number}_layout 0"], 0
    for i, part in enumerate(parts, start=1):
        if isinstance(part, int):
            lines.append(f"~ {part}")
            n_samples += part
            continue
        signals, gain = part
        samples_mv = np.column_stack(list(signals.values())).astype(float)
        wfdb.wrsamp(
            f"{number}_{i:04d}", fs=125, units=["mV"] * len(signals), sig_name=list(signals), p_signal=samples_mv,
            fmt=["80"] * len(signals), adc_gain=[gain] * len(signals), baseline=[0] * len(signals),
            write_dir=str(folder),
        )  # fmt: skip
        lines.append(f"{number}_{i:04d} {len(samples_mv)}")
        n_samples += len(samples_mv)
    layout = [f"{number}_layout {len(leads)} 125 0", *(f"~ 0 50/mV 14 0 0 0 0 {lead}" for lead in leads)]
    (folder / f"{number}_layout.hea").write_text("\n".join(layout) + "\n")
    first = f"{Path(name).name}/{len(lines)} {len(leads)} 125 {n_samples} {start:%H:%M:%S.%f} {start:%d/%m/%Y}"
    (folder / f"{Path(name).name}.hea").write_text("\n".join([first, *lines]) + "\n")
    with (root / DATABASE / "RECORDS-waveforms").open("a") as file:
        file.write(f"{name}\n")
    return name


def write_tables(folder: Path, **rows: list[str]) -> None:
    """The clinical tables, gzipped; one that is needed and not given has no rows."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {table: header for table, header in MORE_HEADERS.items() if table in rows}
    for table, header in (HEADERS | given).items():
        with gzip.open(folder / f"{table}.csv.gz", "wt") as file:
            file.write("\n".join([header, *rows.get(table, [])]) + "\n")


def lab_row(row_id: int, subject_id: int, time: datetime, value: float, item: int = 50971) -> str:
    return f'{row_id},{subject_id},,{item},{time:%Y-%m-%d %H:%M:%S},"{value}",{value},"mEq/L",'
