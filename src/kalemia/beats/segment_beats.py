"""Beats: from the excerpts of one subject to its shard, 120 samples a beat with the R peak at index 40."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats.review_decisions import Decision
from kalemia.core.config import Beats, Ecg, Quality, Rhythm, Study
from kalemia.core.schemas import BEAT_SAMPLES, RATE_HZ
from kalemia.core.tables import empty_table, read_table, table_from_rows, write_table
from kalemia.ecg.assess_excerpt import Judgement, judge_excerpt

log = logging.getLogger(__name__)

_STRATA = 10  # parts of the window that the kept beats are spread over
_ABOUT_DRAW = ("subject_id", "draw_id", "draw_time", "potassium", "label")
_OF_QUALITY = (*_ABOUT_DRAW, "hadm_id", "recording")


@dataclass(frozen=True)
class BeatSettings:
    """The parts of a study's configuration that make beats."""

    ecg: Ecg
    quality: Quality
    rhythm: Rhythm
    beats: Beats

    @classmethod
    def of(cls, study: Study) -> "BeatSettings":
        return cls(study.ecg, study.quality, study.rhythm, study.beats)


def write_beats(
    excerpts_path: str | Path,
    settings: BeatSettings,
    decisions: dict[int, Decision],
    digest: str,
    shard_path: str | Path,
    quality_path: str | Path,
) -> None:
    """Write the beat shard of a subject, and one row a draw about what was kept and lost.

    `decisions` are those of the review, by draw.
    """
    shards, quality = [empty_table("beats")], []
    excerpts = read_table(excerpts_path, "excerpts")
    for excerpt, ecg_mv in zip(excerpts.drop_columns("ecg_mv").to_pylist(), excerpts["ecg_mv"], strict=True):
        samples_mv = np.empty(0, np.float32) if excerpt["reason"] else ecg_mv.values.to_numpy()
        kept, row = beats_of_excerpt(excerpt, samples_mv, settings, decisions.get(excerpt["draw_id"]))
        shards.append(kept)
        quality.append(row)
    subject, kept = Path(shard_path).stem, sum(row["reason"] is None for row in quality)
    log.info("%s: %d beats of %d draws", subject, sum(map(len, shards)), kept)
    write_table(shard_path, "beats", pa.concat_tables(shards).combine_chunks(), digest, group_by="draw_id")
    write_table(quality_path, "quality", table_from_rows("quality", quality), digest)


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


def beats_of_excerpt(
    excerpt: dict, ecg_mv: np.ndarray, settings: BeatSettings, decision: Decision | None = None
) -> tuple[pa.Table, dict]:
    """The kept beats of one excerpt, and its row of the quality table.

    `excerpt` is a row of an excerpts table, `ecg_mv` its samples (float32, NaN where nothing was recorded). A decision
    of the review stands above the automatic verdict; but an excerpt without a good beat has none to keep.
    """
    row = {name: excerpt[name] for name in _OF_QUALITY} | {"review": decision.decision if decision else None}
    if excerpt["reason"]:
        nothing = {"recorded_s": 0.0, "n_r_peaks": 0, "n_good": 0, "n_kept": 0, "lost": [], "quality": 0.0}
        return empty_table("beats"), row | nothing | {"verdict": excerpt["reason"], "reason": excerpt["reason"]}
    judged = judge_excerpt(ecg_mv, settings.ecg, settings.quality, settings.rhythm, settings.beats)
    good = np.flatnonzero(judged.verdicts.good)
    row |= _summary(judged) | {"recorded_s": np.count_nonzero(np.isfinite(judged.filtered_mv)) / RATE_HZ}
    row["reason"] = reviewed(judged.reason, decision, len(good))
    if row["reason"]:
        return empty_table("beats"), row | {"n_kept": 0}
    position = judged.r_peaks[good] / len(ecg_mv)
    kept = good[spread_choice(judged.verdicts.quality[good], position, settings.beats.per_draw)]
    return beat_table(excerpt, judged, kept, settings.beats.mask_next_beat), row | {"n_kept": len(kept)}


def reviewed(verdict: str | None, decision: Decision | None, n_good: int) -> str | None:
    """Why the draw is excluded once the review has been heard."""
    if decision is None:
        return verdict
    if decision.decision == "reject":
        return "rejected in review"
    return None if n_good else verdict


def _summary(judged: Judgement) -> dict:
    verdicts = judged.verdicts
    return {
        "heart_rate_bpm": judged.heart_rate_bpm,
        "n_r_peaks": len(judged.r_peaks),
        "n_good": int(np.count_nonzero(verdicts.good)),
        "lost": verdicts.lost(),
        "quality": float(verdicts.quality.mean()) if len(judged.r_peaks) else 0.0,
        "irregularity": judged.irregularity,
        "ectopic_share": verdicts.ectopic_share,
        "pacing_click": judged.pacing_click,
        "verdict": judged.reason,
    }


def beat_table(excerpt: dict, judged: Judgement, kept: np.ndarray, mask_next_beat: bool) -> pa.Table:
    """The shard of some beats (indices) of one excerpt."""
    r_sample = judged.r_peaks[kept] + excerpt["sample_from"]
    segments = excerpt["segments"]
    stops = np.array([segment["stop"] for segment in segments])
    names = [segments[i]["name"] for i in np.searchsorted(stops, r_sample, side="right")]
    beats_mv = judged.beats_mv[kept]
    if mask_next_beat:
        last = np.minimum(np.arange(BEAT_SAMPLES), judged.compared[kept, None] - 1)
        beats_mv = np.take_along_axis(beats_mv, last, axis=1)
    columns = {
        **{name: [excerpt[name]] * len(kept) for name in (*_ABOUT_DRAW, "recording")},
        "segment": names,
        "r_sample": r_sample,
        "rr_before_ms": judged.before_ms[kept],
        "rr_after_ms": judged.after_ms[kept],
        "quality": judged.verdicts.quality[kept],
        "beat": pa.FixedSizeListArray.from_arrays(beats_mv.astype(np.float32).ravel(), BEAT_SAMPLES),
    }
    schema = empty_table("beats").schema
    return pa.table(
        [pa.array(columns[field.name], from_pandas=True).cast(field.type) for field in schema], schema=schema
    )
