"""Beats of any WFDB record: the code of the workflow on one file, without a study."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.signal import resample_poly

from kalemia.beats.segment_beats import BeatSettings, extract_beats
from kalemia.core.errors import UserError
from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.core.tables import empty_table, whole_file, write_table
from kalemia.ecg.filters import recorded_runs
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.signal_files import open_signal


@dataclass(frozen=True)
class RecordBeats:
    """The kept beats of a record (a table of `beats`), and a row of quality for each window."""

    beats: pa.Table
    windows: list[dict]


def read_lead_mv(record: str, lead: str) -> tuple[np.ndarray, Fraction]:
    """One lead of a WFDB record (float64, mV, NaN where nothing was recorded) and its rate in Hz.

    Raises `UserError` where the record cannot be read or lacks the lead.
    """
    try:
        signal = open_signal(Path(record), lead, None, "")
        return signal.read_mv(0, signal.n_samples), signal.rate_hz
    except UnreadableRecordingError as error:
        how = "; name one with --lead" if error.reason == "no lead" else "; name it without extension"
        raise UserError(f"{record}: cannot be read as a WFDB record: {error}{how}") from None


def at_125_hz(ecg_mv: np.ndarray, rate_hz: Fraction) -> np.ndarray:
    """The ECG at 125 Hz (float32), every recorded run resampled by itself."""
    ratio = Fraction(RATE_HZ) / rate_hz
    resampled = np.full(int(len(ecg_mv) * ratio), np.nan, np.float32)
    for run in recorded_runs(ecg_mv):
        start = round(run.start * ratio)
        part = resample_poly(ecg_mv[run], ratio.numerator, ratio.denominator, padtype="line")
        stop = min(start + len(part), len(resampled))
        resampled[start:stop] = part[: stop - start]
    return resampled


def extract_record_beats(record: str, lead: str, settings: BeatSettings, window_minutes: float) -> RecordBeats:
    """The beats of a record, judged in windows as a draw's excerpt is; `draw_id` counts the windows.

    A remainder shorter than half a window belongs to the last one. `r_sample` counts the record's own samples.
    """
    ecg_mv, rate_hz = read_lead_mv(record, lead)
    ecg_mv = at_125_hz(ecg_mv, rate_hz)
    length = round(window_minutes * 60 * RATE_HZ)
    edges = [*(length * i for i in range(max(1, round(len(ecg_mv) / length)))), len(ecg_mv)]
    name = Path(record).name
    segment = {"name": name, "start": 0, "stop": len(ecg_mv), "gain": 1.0, "baseline": 0}
    tables, windows = [empty_table("beats")], []
    for number, (start, stop) in enumerate(pairwise(edges)):
        about = dict.fromkeys(("subject_id", "draw_time", "potassium", "label", "hadm_id")) | {"draw_id": number}
        excerpt = about | {"recording": name, "sample_from": start, "segments": [segment], "reason": None}
        table, row = extract_beats(excerpt, ecg_mv[start:stop], settings)
        tables.append(table)
        windows.append(row)
    beats = pa.concat_tables(tables).combine_chunks()
    r_sample = np.round(beats["r_sample"].to_numpy() * float(rate_hz / Fraction(RATE_HZ))).astype(np.int64)
    beats = beats.set_column(beats.schema.get_field_index("r_sample"), "r_sample", pa.array(r_sample))
    return RecordBeats(beats, windows)


def write_record_beats(found: RecordBeats, path: str | Path) -> None:
    """Write the beats as a shard, one row group a window."""
    write_table(path, "beats", found.beats, group_by="draw_id")


def plot_beats(found: RecordBeats, title: str, path: str | Path) -> None:
    """Draw every kept beat and their median to a PNG."""
    from matplotlib.figure import Figure

    beats_mv = found.beats["beat"].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES)
    since_r_ms = (np.arange(BEAT_SAMPLES) - R_INDEX) * 1000 / RATE_HZ
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(since_r_ms, beats_mv.T, color="0.6", linewidth=0.3, alpha=0.3)
    if len(beats_mv):
        axes.plot(since_r_ms, np.median(beats_mv, axis=0), color="black")
    axes.set(xlabel="ms after the R peak", ylabel="mV", title=f"{title}: {len(beats_mv)} beats and their median")
    with whole_file(path) as beside:
        figure.savefig(beside, format="png", dpi=150)
