"""The page on which a person reviews the excerpts that are closest to the thresholds."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats.review_candidates import closest_to_threshold
from kalemia.beats.review_decisions import ReviewDecision, read_review_decisions
from kalemia.beats.segment_beats import BeatSettings
from kalemia.core.config import Study
from kalemia.core.paths import subject_name
from kalemia.core.schemas import RATE_HZ
from kalemia.core.tables import read_table
from kalemia.ecg.assess_excerpt import ExcerptAssessment, assess_excerpt
from kalemia.report.html import write_html
from kalemia.report.provenance import versions

_STRIP_S = 10
_PX_PER_S = 104
_PX_PER_MV = 0.4 * _PX_PER_S  # 10 mm a millivolt where a second is 25 mm, as on paper
_WIDTH, _HEIGHT = _STRIP_S * _PX_PER_S, 4 * _PX_PER_MV
_ZERO = 2.5 * _PX_PER_MV  # from the top


def write_review(
    quality_paths: Iterable[str | Path],
    excerpts_folder: str | Path,
    study: Study,
    path: str | Path,
) -> None:
    """Write the page: at most `study.review.n_excerpts` strips of ten seconds with R marks, verdict and reason."""
    settings = BeatSettings.from_study(study)
    rows = pa.concat_tables([read_table(quality, "quality") for quality in quality_paths]).to_pylist()
    chosen = closest_to_threshold(rows, study.review.n_excerpts, settings.quality, settings.rhythm, settings.beats)
    write_html(
        path,
        "review.html",
        study=study,
        versions=versions(),
        n_excerpts=len(rows),
        decided=Counter(row["review"] for row in rows if row["review"]),
        unmatched=unmatched_decisions(read_review_decisions(study.review.decisions), rows),
        excerpts=[_entry(row, excerpts_folder, settings) for row in chosen],
        width=_WIDTH,
        height=_HEIGHT,
        grid=_grid(),
    )


def unmatched_decisions(decisions: dict[int, dict[int, ReviewDecision]], rows: list[dict]) -> list[tuple[int, int]]:
    """(subject, draw) of each decision on a draw that is in no row of a quality table."""
    assessed = {(row["subject_id"], row["draw_id"]) for row in rows}
    return sorted({(subject, draw) for subject, of_subject in decisions.items() for draw in of_subject} - assessed)


def _grid() -> str:
    """The path of the lines of ECG paper, 0.2 s and 0.5 mV apart."""
    upright = [f"M{x:g} 0V{_HEIGHT:g}" for x in np.arange(0, _WIDTH + 1, 0.2 * _PX_PER_S)]
    level = [f"M0 {y:g}H{_WIDTH:g}" for y in np.arange(0, _HEIGHT + 1, 0.5 * _PX_PER_MV)]
    return "".join(upright + level)


def _entry(row: dict, excerpts_folder: str | Path, settings: BeatSettings) -> dict:
    subject = subject_name(row["subject_id"])
    excerpts = read_table(Path(excerpts_folder) / f"{subject}.parquet", "excerpts")
    at = excerpts["draw_id"].to_pylist().index(row["draw_id"])
    ecg_mv = excerpts["ecg_mv"][at].values.to_numpy()
    assessment = assess_excerpt(ecg_mv, settings.ecg, settings.quality, settings.rhythm, settings.beats)
    return row | {"subject": subject, "rejection_counts": dict(row["rejection_counts"])} | ecg_strip(assessment)


def ecg_strip(assessment: ExcerptAssessment) -> dict:
    """The ten seconds around the middle R peak: `line`, the points of a polyline, and `marks`, (x, good) of R peaks."""
    middle = int(assessment.r_peaks[len(assessment.r_peaks) // 2])
    length = round(_STRIP_S * RATE_HZ)
    start = min(max(0, middle - length // 2), max(0, len(assessment.filtered_mv) - length))
    shown_mv = assessment.filtered_mv[start : start + length]
    x = np.arange(len(shown_mv)) / RATE_HZ * _PX_PER_S
    y = np.clip(_ZERO - shown_mv * _PX_PER_MV, 0, _HEIGHT)
    inside = (assessment.r_peaks >= start) & (assessment.r_peaks < start + length)
    return {
        "line": " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(b)),
        "marks": [
            (float((r - start) / RATE_HZ * _PX_PER_S), bool(good))
            for r, good in zip(assessment.r_peaks[inside], assessment.beat_labels.is_good[inside], strict=True)
        ],
    }
