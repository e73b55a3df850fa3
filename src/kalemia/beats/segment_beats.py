"""Segment the excerpts of one subject into beats: the beat shard and the quality table."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats.review_decisions import MIN_MARKS, ReviewDecision, explain_ineffective
from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.config import Beats, Ecg, Quality, Rhythm, Study
from kalemia.core.schemas import BEAT_SAMPLES, RATE_HZ
from kalemia.core.tables import empty_table, read_table, table_from_rows, write_table
from kalemia.ecg.assess_excerpt import ExcerptAssessment, assess_excerpt
from kalemia.ecg.fiducial import FiducialTemplate

log = logging.getLogger(__name__)

_N_STRATA = 10  # parts of the window over which the kept beats are spread
_DRAW_COLUMNS = ("subject_id", "draw_id", "draw_time", "value", "label")
_QUALITY_COLUMNS = (*_DRAW_COLUMNS, "hadm_id", "recording")


@dataclass(frozen=True)
class BeatSettings:
    """The parts of a study's configuration that determine the beats."""

    ecg: Ecg
    quality: Quality
    rhythm: Rhythm
    beats: Beats

    @classmethod
    def from_study(cls, study: Study) -> "BeatSettings":
        """Take the settings from a study's configuration."""
        return cls(study.ecg, study.quality, study.rhythm, study.beats)


def write_beats(
    excerpts_path: str | Path,
    settings: BeatSettings,
    decisions: dict[int, ReviewDecision],
    digest: str,
    shard_path: str | Path,
    quality_path: str | Path,
) -> None:
    """Write the beat shard of one subject and its quality table, which has one row per draw.

    `decisions`: review decisions by draw. Raises `UserError` as `tables.read_table`.
    """
    shards, quality = [empty_table("beats")], []
    for kept, row in extract_beats(_excerpts_in_time(read_table(excerpts_path, "excerpts")), settings, decisions):
        shards.append(kept)
        quality.append(row)
    for line in explain_ineffective({row["subject_id"]: decisions for row in quality[:1]}, quality, SubjectNames()):
        log.warning("review: %s", line)
    subject, n_draws = Path(shard_path).stem, sum(row["reason"] is None for row in quality)
    log.info("%s: %d beats from %d of %d draws", subject, sum(map(len, shards)), n_draws, len(quality))
    others = [row["draw_id"] for row in quality if row["n_kept"] and not row["fiducial_found"]]
    if others:
        log.warning("%s: a different wave than in the other draws is marked in draws %s", subject, others)
    write_table(shard_path, "beats", pa.concat_tables(shards).combine_chunks(), digest, group_by="draw_id")
    write_table(quality_path, "quality", table_from_rows("quality", quality), digest)


def choose_spread_beats(quality: np.ndarray, position: np.ndarray, max_beats: int) -> np.ndarray:
    """Choose at most `max_beats` of n beats, spread over the window: ascending indices.

    quality: (n,). position: (n,) from 0 to 1 over the window. Takes the best remaining beat of each tenth of the window
    in turn.
    """
    stratum = np.minimum((position * _N_STRATA).astype(int), _N_STRATA - 1)
    best_first = np.lexsort((np.arange(len(quality)), -quality, stratum))
    starts = np.searchsorted(stratum[best_first], np.arange(_N_STRATA))
    rank = np.empty(len(quality), int)
    rank[best_first] = np.arange(len(quality)) - starts[stratum[best_first]]
    return np.sort(np.lexsort((stratum, rank))[:max_beats])


def extract_beats(
    excerpts: Iterable[tuple[dict, np.ndarray]],
    settings: BeatSettings,
    decisions: dict[int, ReviewDecision],
    template: FiducialTemplate | None = None,
) -> Iterator[tuple[pa.Table, dict]]:
    """Extract the beats of the excerpts of one subject: for each a table of kind "beats" and a row of kind "quality".

    `excerpts`: rows of an excerpts table in the order of time, each with its samples (float32, 125 Hz, NaN where
    nothing was recorded). The first excerpt that passes the checks and is no sine wave determines the wave that is
    marked in it and in all later ones; before it, each excerpt determines its own. So no excerpt depends on a later
    one. `decisions`, by draw, override the automatic verdict (`choose_candidates`); what has no ECG stays excluded.
    `template`: the wave to mark from the start, of an excerpt before these.
    """
    reference = _Reference(None, template) if template else None
    for excerpt, ecg_mv in excerpts:
        decision = decisions.get(excerpt["draw_id"])
        row = {name: excerpt[name] for name in _QUALITY_COLUMNS} | {"review": decision.decision if decision else None}
        if excerpt["reason"]:
            yield empty_table("beats"), row | _columns_without_ecg(excerpt["reason"])
            continue
        wave = reference.template if reference else None
        assessment, verdict = assess_with_marks(ecg_mv, settings, decision, wave)
        candidates, origin = choose_candidates(assessment, decision)
        reason = apply_review(verdict, decision, len(candidates))
        own = assessment.fiducials.own
        if not (reference or verdict or reason) and own.has_baseline:
            reference = _Reference(excerpt["draw_id"], own)
        row |= _assessment_columns(assessment) | {"reason_before_review": verdict, "reason": reason, "n_kept": 0}
        row |= {"fiducial_draw_id": reference.draw_id if reference else excerpt["draw_id"]}
        if reason:
            yield empty_table("beats"), row
            continue
        position, quality = assessment.r_peaks[candidates] / len(ecg_mv), assessment.beat_labels.quality[candidates]
        kept = candidates[choose_spread_beats(quality, position, settings.beats.max_per_draw)]
        row |= {"n_kept": len(kept), "review_beats": origin}
        yield beat_table(excerpt, assessment, kept, settings.beats.mask_next_beat), row


def assess_row(
    excerpts: pa.Table, row: dict, settings: BeatSettings, decisions: dict[int, ReviewDecision]
) -> ExcerptAssessment:
    """Assess again the excerpt of a row of the quality table, with the same wave marked.

    `excerpts` and the decisions, by draw, are those of the row's subject.
    """

    is_reference = row["fiducial_draw_id"] in (None, row["draw_id"])
    template = None if is_reference else wave_of_draw(excerpts, row["fiducial_draw_id"], settings, decisions)
    return _assess_draw(excerpts, row["draw_id"], settings, decisions, template)


def wave_of_draw(
    excerpts: pa.Table, draw_id: int, settings: BeatSettings, decisions: dict[int, ReviewDecision]
) -> FiducialTemplate | None:
    """The wave that a draw determines, and that is marked in it and in later ones; None without beats.

    `excerpts` and the decisions, by draw, are those of the draw's subject.
    """
    return _assess_draw(excerpts, draw_id, settings, decisions, None).fiducials.own


def assess_with_marks(
    ecg_mv: np.ndarray,
    settings: BeatSettings,
    decision: ReviewDecision | None,
    template: FiducialTemplate | None = None,
) -> tuple[ExcerptAssessment, str | None]:
    """Assess an excerpt by the marks that a reviewer set, if any; also return the reason without them, or None.

    `template`: the wave to mark, if it is not to be chosen from this excerpt.
    """
    parts = settings.ecg, settings.quality, settings.rhythm, settings.beats
    assessment = assess_excerpt(ecg_mv, *parts, template)
    if not decision or not decision.marks_s:
        return assessment, assessment.reason
    set_marks = np.round(np.array(decision.marks_s) * RATE_HZ).astype(np.int64)
    return assess_excerpt(ecg_mv, *parts, template, set_marks[set_marks < len(ecg_mv)]), assessment.reason


def choose_candidates(assessment: ExcerptAssessment, decision: ReviewDecision | None) -> tuple[np.ndarray, str | None]:
    """The beats (indices) that a draw can keep, and for an accepted one what they are, as in the quality table.

    The good ones, but of an accepted draw all whole beats where the reviewer set the marks ("set"), or where none is
    good ("found"); at least five of these.
    """
    good = np.flatnonzero(assessment.beat_labels.is_good)
    if not decision or not decision.accepts:
        return good, None
    if len(good) and not decision.marks_s:
        return good, "good"
    whole = np.flatnonzero(np.isfinite(assessment.beats_mv).all(axis=1))
    enough = whole if len(whole) >= MIN_MARKS else whole[:0]
    return enough, "set" if decision.marks_s else "found"


def apply_review(verdict: str | None, decision: ReviewDecision | None, n_candidates: int) -> str | None:
    """The reason for exclusion after review, or None; `verdict` is the automatic one."""
    if decision is None:
        return verdict
    if not decision.accepts:
        return "rejected in review"
    return None if n_candidates else verdict or "too few good beats"


def beat_table(excerpt: dict, assessment: ExcerptAssessment, kept: np.ndarray, mask_next_beat: bool) -> pa.Table:
    """Build the shard of the kept beats (indices) of one excerpt.

    `mask_next_beat`: replace samples after the next beat's onset by the last sample before it.
    """
    r_sample = assessment.r_peaks[kept] + excerpt["sample_from"]
    segments = excerpt["segments"]
    stops = np.array([segment["stop"] for segment in segments])
    segment_names = [segments[i]["name"] for i in np.searchsorted(stops, r_sample, side="right")]
    beats_mv = assessment.beats_mv[kept]
    if mask_next_beat:
        last = np.minimum(np.arange(BEAT_SAMPLES), assessment.n_compared[kept, None] - 1)
        beats_mv = np.take_along_axis(beats_mv, last, axis=1)
    columns = {
        **{name: [excerpt[name]] * len(kept) for name in (*_DRAW_COLUMNS, "recording")},
        "segment": segment_names,
        "r_sample": r_sample,
        "rr_before_ms": assessment.rr_before_ms[kept],
        "rr_after_ms": assessment.rr_after_ms[kept],
        "quality": assessment.beat_labels.quality[kept],
        "fiducial": [assessment.fiducials.wave] * len(kept),
        "fiducial_confidence": assessment.fiducials.confidence[kept],
        "beat": pa.FixedSizeListArray.from_arrays(beats_mv.astype(np.float32).ravel(), BEAT_SAMPLES),
    }
    schema = empty_table("beats").schema
    return pa.table(
        [pa.array(columns[field.name], from_pandas=True).cast(field.type) for field in schema], schema=schema
    )


@dataclass(frozen=True)
class _Reference:
    """The draw whose excerpt determines the wave that is marked, None if it is not one of these, and that wave."""

    draw_id: int | None
    template: FiducialTemplate


def _assess_draw(
    excerpts: pa.Table,
    draw_id: int,
    settings: BeatSettings,
    decisions: dict[int, ReviewDecision],
    template: FiducialTemplate | None,
) -> ExcerptAssessment:
    ecg_mv = excerpts["ecg_mv"][excerpts["draw_id"].to_pylist().index(draw_id)].values.to_numpy()
    return assess_with_marks(ecg_mv, settings, decisions.get(draw_id), template)[0]


def _excerpts_in_time(excerpts: pa.Table) -> Iterator[tuple[dict, np.ndarray]]:
    """Each row of an excerpts table in the order of time, and its samples (none if the row has a reason)."""
    rows = excerpts.drop_columns("ecg_mv").to_pylist()
    for i in sorted(range(len(rows)), key=lambda i: (rows[i]["draw_time"], rows[i]["draw_id"])):
        samples_mv = np.empty(0, np.float32) if rows[i]["reason"] else excerpts["ecg_mv"][i].values.to_numpy()
        yield rows[i], samples_mv


def _columns_without_ecg(reason: str) -> dict:
    empty = {"recorded_s": 0.0, "n_r_peaks": 0, "n_good": 0, "n_kept": 0, "rejection_counts": [], "quality": 0.0}
    return empty | {"fiducial_found": False, "reason_before_review": reason, "reason": reason}


def _assessment_columns(assessment: ExcerptAssessment) -> dict:
    labels, confidence = assessment.beat_labels, assessment.fiducials.confidence
    return {
        "recorded_s": np.count_nonzero(np.isfinite(assessment.filtered_mv)) / RATE_HZ,
        "heart_rate_bpm": assessment.heart_rate_bpm,
        "n_r_peaks": len(assessment.r_peaks),
        "n_good": int(np.count_nonzero(labels.is_good)),
        "rejection_counts": labels.rejection_counts(),
        "quality": float(labels.quality.mean()) if len(assessment.r_peaks) else 0.0,
        "fiducial": assessment.fiducials.wave,
        "fiducial_found": assessment.fiducials.found,
        "fiducial_confidence": float(np.median(confidence)) if len(confidence) else 0.0,
        "irregularity": assessment.median_cosen,
        "ectopic_share": labels.ectopic_fraction,
        "pacing_click": assessment.pacing_spike_ratio,
    }
