"""Extract the beats of any recording, without a study, as a study does for its excerpts."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats.segment_beats import BeatSettings, extract_beats
from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file
from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.core.tables import write_table
from kalemia.core.wording import plural
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.resampling import resampled_samples, resampled_span
from kalemia.sources.signal_files import NOTHING_STATED, Signal, Stated, open_signal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordBeats:
    """The kept beats of a record, a table of kind "beats", and one row of the quality table per window."""

    beats: pa.Table
    windows: list[dict]


def extract_record_beats(
    record: str,
    lead: str,
    settings: BeatSettings,
    window_minutes: float,
    stated: Stated = NOTHING_STATED,
) -> RecordBeats:
    """Extract the beats of one lead of a record, window by window; each window is treated as a draw's excerpt.

    `record` is the path of a WFDB record without extension, or of an EDF, BDF or CSV file; what the user states
    overrides what it says. `draw_id` is the number of the window, `r_sample` counts samples of the record. A remainder
    shorter than half a window is added to the last window. Raises `UserError` if the record cannot be read or lacks the
    lead.
    """
    try:
        signal = open_signal(Path(record), lead, stated)
    except UnreadableRecordingError as error:
        advice = "; name one with --lead" if error.reason == "no lead" else ""
        raise UserError(f"{error.reason}: {error.detail}{advice}") from None
    tables, windows = zip(*extract_beats(_windows(Path(record), signal, window_minutes), settings, {}), strict=True)
    beats = pa.concat_tables(tables).combine_chunks()
    r_sample = np.round(beats["r_sample"].to_numpy() * float(signal.rate_hz / Fraction(RATE_HZ))).astype(np.int64)
    beats = beats.set_column(beats.schema.get_field_index("r_sample"), "r_sample", pa.array(r_sample))
    return RecordBeats(beats, list(windows))


def write_record_beats(record_beats: RecordBeats, path: str | Path) -> None:
    """Write the beats as a shard, one row group per window."""
    write_table(path, "beats", record_beats.beats, group_by="draw_id")


def plot_beats(record_beats: RecordBeats, title: str, path: str | Path) -> None:
    """Plot every kept beat and the median beat as a PNG."""
    from matplotlib.figure import Figure

    beats_mv = record_beats.beats["beat"].combine_chunks().flatten().to_numpy().reshape(-1, BEAT_SAMPLES)
    since_r_ms = (np.arange(BEAT_SAMPLES) - R_INDEX) * 1000 / RATE_HZ
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(since_r_ms, beats_mv.T, color="0.6", linewidth=0.3, alpha=0.3)
    if len(beats_mv):
        axes.plot(since_r_ms, np.median(beats_mv, axis=0), color="black")
    title = f"{title}: {plural(len(beats_mv), 'beat')} and the median"
    axes.set(xlabel="ms after the R peak", ylabel="mV", title=title)
    with atomic_file(path) as part:
        figure.savefig(part, format="png", dpi=150)


def _windows(record: Path, signal: Signal, window_minutes: float) -> Iterator[tuple[dict, np.ndarray]]:
    """Each window of a record as a row of an excerpts table, and its samples at 125 Hz (none if it cannot be read)."""
    n_samples = resampled_samples(signal.n_samples, signal.rate_hz)
    segment = {"name": record.name, "start": 0, "stop": n_samples, "gain": 1.0, "baseline": 0}
    unknown = dict.fromkeys(("subject_id", "draw_time", "value", "label", "hadm_id"))
    for number, (start, stop) in enumerate(pairwise(window_edges(n_samples, window_minutes))):
        ecg_mv, reason = np.empty(0, np.float32), None
        try:
            ecg_mv = resampled_span(signal.read_mv, signal.n_samples, signal.rate_hz, start, stop)
            signal.check_amplitude(ecg_mv, RATE_HZ, record)
        except UnreadableRecordingError as error:
            reason = error.reason
            log.warning("from minute %g: %s", number * window_minutes, error.detail)
        about = {"draw_id": number, "recording": record.name, "sample_from": start, "segments": [segment]}
        yield unknown | about | {"reason": reason}, ecg_mv


def window_edges(n_samples: int, window_minutes: float) -> list[int]:
    """Where the windows of a recording at 125 Hz begin and end; a remainder shorter than half a window is added.

    >>> window_edges(24 * 60 * 125, window_minutes=10)
    [0, 75000, 180000]
    """
    length = round(window_minutes * 60 * RATE_HZ)
    return [*(length * i for i in range(max(1, round(n_samples / length)))), n_samples]
