"""Damaged files of every format: refused in one line, told in the ledger, or read as they were meant.

A format that carries a checksum (gzip, .vital, Parquet, JSON, weights, WFDB samples) may never give another result
without a word. Others cannot tell a changed number from a right one; for them only the answer's form is looked at.
"""

import dataclasses
import gzip
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
from campaign import Tally, is_one_line
from damage import OF_BYTES, OF_TEXT, Damage, damaged
from limited_process import outcome_of

from beat_shards import write_shard
from kalemia.beats.review_decisions import read_review_decisions
from kalemia.core.config import Source, Study
from kalemia.core.config_files import read_config
from kalemia.core.errors import as_user_error
from kalemia.core.tables import read_json, read_table, write_json
from kalemia.models.model_folder import read_model_folder
from kalemia.network.checkpoints import load_checkpoint
from kalemia.sources import UnreadableRecordingError, mimic_tables
from kalemia.sources.physionet import DATABASE, PhysioNet
from kalemia.sources.registry import describe_source
from kalemia.sources.signal_files import Stated, faults_of_span, open_signal
from mirror import write_record, write_tables
from model_folders import write_model
from own_files import ecg_mv, write_csv, write_edf, write_wfdb
from run_workflow import ROOT
from vital_writer import write_vital

N_FILES = 500


@dataclass(frozen=True)
class Format:
    """A file to damage, how it is read into bytes, and whether it carries a checksum over all of its content."""

    name: str
    file: Path
    read: Callable[[], bytes]
    kinds: tuple[Damage, ...]
    has_checksum: bool = False


def run(folder: Path, seed: int, is_short: bool) -> Tally:
    tally = Tally("bad files", "a ledger row or one line; nothing hangs, takes 2 GB, or gives another result silently")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    formats = _formats(folder)
    whole = {of.name: (of.file.read_bytes(), of.read()) for of in formats}
    random = Random(seed)
    for number in range(60 if is_short else N_FILES):
        of = formats[number % len(formats)]
        content, expected = whole[of.name]
        kind, made = damaged(content, of.kinds, random)
        of.file.write_bytes(made)
        outcome, fails = outcome_of(partial(_answer, of, expected))
        of.file.write_bytes(content)
        tally.count(f"{of.name} {number}, {kind}", outcome[:300], fails=fails)
    return tally


def _answer(of: Format, expected: bytes) -> str:
    """How a damaged file ended, in the child process."""
    try:
        found = of.read()
    except UnreadableRecordingError as error:
        return "ledger row" if is_one_line(str(error)) else f"wrong: {str(error)[:200]!r}"
    except Exception as error:
        mistake = as_user_error(error)
        if mistake is None:
            raise
        return "one line" if is_one_line(str(mistake)) else f"wrong: {str(mistake)[:200]!r}"
    if found == expected:
        return "read as it was"
    if found.startswith(b"noted"):
        return "read, with a note in the ledger"
    return "wrong: another result without a word" if of.has_checksum else "read; the format has no checksum"


def _formats(folder: Path) -> list[Format]:
    return [*_signals(folder), *_tables(folder), *_own_formats(folder)]


def _signals(folder: Path) -> list[Format]:
    write_wfdb(folder / "a", 250, seconds=10)
    write_edf(folder / "a.edf", 250, seconds=10)
    write_csv(folder / "a.csv", 250, seconds=10)
    (folder / "b.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes(), mtime=0))
    write_vital(folder / "a.vital", [(0.0, np.round(ecg_mv(500, 10) * 1000).astype("<i2"))])
    return [
        Format("WFDB header", folder / "a.hea", partial(_signal, folder / "a.hea", "MLII"), OF_TEXT),
        Format("WFDB samples", folder / "a.dat", partial(_signal, folder / "a.hea", "MLII"), OF_BYTES, True),
        Format("EDF", folder / "a.edf", partial(_signal, folder / "a.edf", "ECG II"), OF_TEXT),
        Format("CSV recording", folder / "a.csv", partial(_signal, folder / "a.csv", "II", 250), OF_TEXT),
        Format(
            "CSV.gz recording", folder / "b.csv.gz", partial(_signal, folder / "b.csv.gz", "II", 250), OF_BYTES, True
        ),
        Format(".vital", folder / "a.vital", partial(_signal, folder / "a.vital", "SNUADC/ECG_II"), OF_BYTES, True),
    ]


def _signal(path: Path, lead: str, rate_hz: int | None = None) -> bytes:
    signal = open_signal(path, lead, Stated(rate_hz and Fraction(rate_hz)))
    samples = signal.read_mv(0, min(signal.n_samples, 10_000))
    faults = faults_of_span(signal, 0, min(1250, int(signal.n_samples * 125 / signal.rate_hz)))
    read = repr((signal.rate_hz, signal.n_samples, signal.unit)).encode() + samples.tobytes()
    return (b"noted" if signal.notes or faults else b"") + hashlib.sha256(read).digest()


def _tables(folder: Path) -> list[Format]:
    mirror, own, tables = folder / "mirror", folder / "own", folder / "tables"
    write_record(mirror, 20, datetime(2150, 1, 1), 3000001, [({"II": ecg_mv(125, 60)}, 50), 500])
    rows = [f'{i},20,100,50971,2150-01-{i:02} 10:00:00,"4.{i}",4.{i},"mEq/L",' for i in range(1, 20)]
    write_tables(tables, LABEVENTS=rows)
    plain = folder / "plain"
    plain.mkdir()
    (plain / "LABEVENTS.csv").write_bytes(gzip.decompress((tables / "LABEVENTS.csv.gz").read_bytes()))
    shutil.copytree(ROOT / "tests/own", own)
    decisions = folder / "decisions.csv"
    decisions.write_text(
        "subject_id,draw_id,decision,reviewer,note,marks_s\n20,3,reject,MW,noise,\n20,4,accept,MW,fine,1 2 3.5 4 5 6\n"
    )
    names = mirror / DATABASE / "RECORDS-waveforms"
    master = next((mirror / DATABASE).rglob("p000020-*.hea"))
    physionet = PhysioNet(mirror, tables)
    record = master.relative_to(mirror / DATABASE).as_posix().removesuffix(".hea")
    return [
        Format("gzipped table", tables / "LABEVENTS.csv.gz", partial(_lab_rows, tables), OF_BYTES, True),
        Format("table", plain / "LABEVENTS.csv", partial(_lab_rows, plain), OF_TEXT),
        Format("list of recordings", names, lambda: repr(physionet.recording_names()).encode(), OF_TEXT),
        Format("master header", master, lambda: repr(physionet.recording(record)).encode(), OF_TEXT),
        Format("recordings.csv", own / "recordings.csv", partial(_own_tables, own), OF_TEXT),
        Format("potassium.csv", own / "potassium.csv", partial(_own_tables, own), OF_TEXT),
        Format("decisions", decisions, lambda: repr(read_review_decisions(decisions, 10.0)).encode(), OF_TEXT),
    ]


def _lab_rows(folder: Path) -> bytes:
    return repr(mimic_tables.analyte_rows(folder, (50971,)).to_pylist()).encode()


def _own_tables(own: Path) -> bytes:
    study = dataclasses.replace(Study(), source=Source(kind="local", waveforms=str(own), tables=str(own)))
    description = describe_source(study)
    description.check()
    source = description.open()
    rows = list(description.recording_rows())
    said = "noted" if any(row.reason for row in rows) else ""
    return f"{said}{rows}{source.analyte_rows((50971,)).to_pylist()}".encode()


def _own_formats(folder: Path) -> list[Format]:
    shard, truth, config = folder / "beats.parquet", folder / "truth.json", folder / "study.yaml"
    write_shard(shard, 20, [0, 1], 20)
    write_json(truth, {"a": [1.5, None], "b": "text"})
    config.write_text((ROOT / "studies/mimic3.yaml").read_text())
    model = folder / "model"
    write_model(model)
    weights = folder / "weights.safetensors"
    shutil.copy(model / "model.safetensors", weights)
    return [
        Format("Parquet", shard, lambda: repr(read_table(shard, "beats").to_pylist()).encode(), OF_BYTES, True),
        Format("JSON", truth, lambda: repr(read_json(truth)).encode(), OF_TEXT, True),
        Format("weights", weights, partial(_weights, weights), OF_BYTES, True),
        Format(
            "model folder",
            model / "config.json",
            lambda: repr(read_model_folder(model)[0].as_json()).encode(),
            OF_TEXT,
            True,
        ),
        Format("study file", config, lambda: repr(read_config(ROOT / "config.yaml", [config])).encode(), OF_TEXT),
    ]


def _weights(path: Path) -> bytes:
    tensors, lineage = load_checkpoint(path)
    return repr(lineage).encode() + b"".join(tensor.numpy().tobytes() for _, tensor in sorted(tensors.items()))
