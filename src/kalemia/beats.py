"""Beats: from the excerpts of one subject to its shard, 120 samples a beat with the R peak at index 40."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.config import Beats, Ecg
from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.quality import BEAT_REASONS, beat_verdicts
from kalemia.ecg.rpeaks import detect_r_peaks
from kalemia.tables import BEAT_SAMPLES, R_INDEX, RATE_HZ, empty_table, read_table, table_from_rows, write_table

log = logging.getLogger(__name__)

_STRATA = 10  # parts of the window that the kept beats are spread over
_ABOUT_DRAW = ("subject_id", "draw_id", "draw_time", "potassium", "label")


def write_beats(
    excerpts_path: str | Path, ecg: Ecg, beats: Beats, digest: str, shard_path: str | Path, quality_path: str | Path
) -> None:
    """Write the beat shard of a subject, and one row a draw about what was kept and lost."""
    shards, quality = [empty_table("beats")], []
    excerpts = read_table(excerpts_path, "excerpts")
    for excerpt, ecg_mv in zip(excerpts.drop_columns("ecg_mv").to_pylist(), excerpts["ecg_mv"], strict=True):
        samples_mv = np.empty(0, np.float32) if excerpt["reason"] else ecg_mv.values.to_numpy()
        kept, row = beats_of_excerpt(excerpt, samples_mv, ecg, beats)
        shards.append(kept)
        quality.append(row)
    log.info("%d beats of %d draws", sum(map(len, shards)), sum(row["reason"] is None for row in quality))
    write_table(shard_path, "beats", pa.concat_tables(shards).combine_chunks(), digest, group_by="draw_id")
    write_table(quality_path, "quality", table_from_rows("quality", quality), digest)


def segment_beats(ecg_mv: np.ndarray, r_peaks: np.ndarray) -> np.ndarray:
    """Beats (n, 120) cut around R peaks (n,); NaN where a beat reaches beyond the ECG."""
    padded = np.pad(ecg_mv, (R_INDEX, BEAT_SAMPLES), constant_values=np.nan)
    return padded[r_peaks[:, None] + np.arange(BEAT_SAMPLES)]


def spread_choice(quality: np.ndarray, position: np.ndarray, most: int) -> np.ndarray:
    """Indices (ascending) of at most `most` items, the best of each tenth of the window in turn.

    `position` runs from 0 to 1 over the window.
    """
    stratum = np.minimum((position * _STRATA).astype(int), _STRATA - 1)
    best_first = np.lexsort((np.arange(len(quality)), -quality, stratum))
    starts = np.searchsorted(stratum[best_first], np.arange(_STRATA))
    rank = np.empty(len(quality), int)
    rank[best_first] = np.arange(len(quality)) - starts[stratum[best_first]]
    return np.sort(np.lexsort((stratum, rank))[:most])


def beats_of_excerpt(excerpt: dict, ecg_mv: np.ndarray, ecg: Ecg, settings: Beats) -> tuple[pa.Table, dict]:
    """The kept beats of one excerpt, and its row of the quality table.

    `excerpt` is a row of an excerpts table, `ecg_mv` its samples (float32, NaN where nothing was recorded).
    """
    row = {name: excerpt[name] for name in _ABOUT_DRAW}
    row |= {"recorded_s": 0.0, "n_r_peaks": 0, "n_good": 0, "n_kept": 0, "lost": [], "quality": 0.0}
    if excerpt["reason"]:
        return empty_table("beats"), row | {"reason": excerpt["reason"]}
    taps = bandpass_taps(RATE_HZ, ecg.band_hz, ecg.transition_hz, ecg.stopband_db)
    filtered_mv = bandpass(ecg_mv, taps)
    r_peaks = detect_r_peaks(filtered_mv, RATE_HZ)
    row |= {"recorded_s": np.count_nonzero(np.isfinite(ecg_mv)) / RATE_HZ, "n_r_peaks": len(r_peaks)}
    if len(r_peaks) < settings.min_per_draw:
        return empty_table("beats"), row | {"reason": "too few R peaks"}

    rr_ms = np.diff(r_peaks) * 1000 / RATE_HZ
    before_ms, after_ms = np.append(np.nan, rr_ms), np.append(rr_ms, np.nan)
    beats_mv = segment_beats(filtered_mv, r_peaks)
    quality, reason = beat_verdicts(beats_mv, before_ms, after_ms, settings.rr_ms, settings.min_correlation)
    good = np.flatnonzero(reason < 0)
    kept = good[spread_choice(quality[good], r_peaks[good] / len(ecg_mv), settings.per_draw)]
    row |= {
        "heart_rate_bpm": 60_000 / float(np.median(rr_ms)),
        "n_good": len(good),
        "lost": [(name, int(np.sum(reason == i))) for i, name in enumerate(BEAT_REASONS) if np.any(reason == i)],
        "quality": float(quality.mean()),
    }
    if len(good) < settings.min_per_draw:
        return empty_table("beats"), row | {"reason": "too few good beats"}
    table = _beat_table(excerpt, r_peaks[kept], before_ms[kept], after_ms[kept], quality[kept], beats_mv[kept])
    return table, row | {"n_kept": len(kept), "reason": None}


def _beat_table(
    excerpt: dict,
    r_peaks: np.ndarray,
    before_ms: np.ndarray,
    after_ms: np.ndarray,
    quality: np.ndarray,
    beats_mv: np.ndarray,
) -> pa.Table:
    r_sample = r_peaks + excerpt["sample_from"]
    segments = excerpt["segments"]
    stops = np.array([segment["stop"] for segment in segments])
    names = [segments[i]["name"] for i in np.searchsorted(stops, r_sample, side="right")]
    n = len(r_peaks)
    columns = {
        **{name: [excerpt[name]] * n for name in (*_ABOUT_DRAW, "recording")},
        "segment": names,
        "r_sample": r_sample,
        "rr_before_ms": before_ms,
        "rr_after_ms": after_ms,
        "quality": quality,
        "beat": pa.FixedSizeListArray.from_arrays(beats_mv.astype(np.float32).ravel(), BEAT_SAMPLES),
    }
    schema = empty_table("beats").schema
    return pa.table(
        [pa.array(columns[field.name], from_pandas=True).cast(field.type) for field in schema], schema=schema
    )
