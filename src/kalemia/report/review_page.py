"""The page on which a person reviews the excerpts that the checks lost, or nearly lost."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats.review_candidates import Threshold, choose_for_review, deciding_threshold
from kalemia.beats.review_decisions import MIN_MARKS, ReviewDecision, explain_ineffective, read_review_decisions
from kalemia.beats.segment_beats import BeatSettings, assess_row
from kalemia.cohort.inclusion_flow import CLASSES
from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.config import Study
from kalemia.core.jobs import log_and_print
from kalemia.core.paths import subject_name
from kalemia.core.schemas import RATE_HZ
from kalemia.core.tables import read_table
from kalemia.ecg.assess_excerpt import ExcerptAssessment
from kalemia.ecg.quality import BEAT_REASONS
from kalemia.evaluation.selection_bias import loss_rows
from kalemia.report.formatting import MISSING, loss_cells, percent
from kalemia.report.html import write_html
from kalemia.report.provenance import versions

_STRIP_S = 10
_LABEL_S = 0.4  # as wide is the number of a second
_PX_PER_S = 104
_PX_PER_MV = 0.4 * _PX_PER_S  # 10 mm a millivolt where a second is 25 mm, as on paper
_WIDTH, _HEIGHT = _STRIP_S * _PX_PER_S, 4 * _PX_PER_MV
_ZERO = 2.5 * _PX_PER_MV  # from the top


def write_review(
    quality_paths: Iterable[str | Path],
    excerpts_folder: str | Path,
    names: SubjectNames,
    study: Study,
    path: str | Path,
) -> None:
    """Write the page: at most `study.review.n_excerpts` strips of ten seconds with R marks, verdict and reason.

    Decisions that change nothing are listed there, and in the terminal.
    """
    settings = BeatSettings.from_study(study)
    rows = pa.concat_tables([read_table(quality, "quality") for quality in quality_paths]).to_pylist()
    decisions = read_review_decisions(study.review.decisions, study.cohort.window_minutes)
    lost, near = choose_for_review(rows, study.review.n_excerpts, settings.quality, settings.rhythm, settings.beats)
    ineffective = explain_ineffective(decisions, rows, names)
    for line in ineffective:
        log_and_print(f"review: {line}")
    write_html(
        path,
        "review.html",
        study=study,
        versions=versions(),
        n_excerpts=sum(row["recorded_s"] > 0 for row in rows),
        n_without=sum(row["recorded_s"] > 0 and not row["n_good"] for row in rows),
        decided=Counter(row["review"] for row in rows if row["review"]),
        rescued=sum(row["review_beats"] in ("found", "set") for row in rows),
        ineffective=ineffective,
        earlier=[decision_line(names, *one) for one in _in_order(decisions)],
        losses=[loss_cells(row) for row in loss_rows(rows)],
        beat_losses=beat_loss_cells(rows),
        parts=[
            (name, [_entry(row, excerpts_folder, names, settings, decisions) for row in chosen])
            for name, chosen in (("With no or few good beats", lost), ("Closest to a threshold", near))
            if chosen
        ],
        reasons=sorted({row["reason_before_review"] or "kept" for row in lost + near}),
        min_marks=MIN_MARKS,
        strip_s=_STRIP_S,
        width=_WIDTH,
        height=_HEIGHT,
        grid=_grid(),
    )


def decision_line(names: SubjectNames, subject: int, draw: int, decision: ReviewDecision) -> str:
    """A decision as a line of the file of decisions."""
    marks = " ".join(f"{mark:.2f}" for mark in decision.marks_s)
    line = StringIO()
    cells = [names.to_write(subject), draw, decision.decision, decision.reviewer, decision.note, marks]
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def describe_threshold(found: Threshold | None) -> str:
    """In a few words, the threshold that excluded an excerpt or is closest to it, and the distance."""
    if found is None or found.value is None:
        return "No threshold applies: no R peak was found."
    digits = 0 if found.name == "good beats" else 3
    value, limit = (f"{number:.{digits}f}" for number in (found.value, found.threshold))
    away, side = (
        f"{abs(found.value - found.threshold):.{digits}f}",
        "above" if found.value > found.threshold else "below",
    )
    return f"Threshold: {found.name} {value}, limit {limit} ({away} {side})."


def beat_loss_cells(rows: Iterable[dict]) -> list[tuple[str, list[str]]]:
    """Each reason for which beats were rejected, with the share of the beats of each class that it took."""
    found, rejected = Counter(), defaultdict(Counter)
    for row in rows:
        found[row["label"]] += row["n_r_peaks"]
        for reason, count in row["rejection_counts"]:
            rejected[reason][row["label"]] += count

    def share(reason: str, label: int | None) -> str:
        return percent(rejected[reason][label] / found[label]) if found[label] else MISSING

    return [
        (reason, [share(reason, label) for label in CLASSES.values()]) for reason in BEAT_REASONS if reason in rejected
    ]


def _in_order(decisions: dict[int, dict[int, ReviewDecision]]) -> Iterator[tuple[int, int, ReviewDecision]]:
    for subject, of_subject in decisions.items():
        for draw, decision in of_subject.items():
            yield subject, draw, decision


def _grid() -> str:
    """The path of the lines of ECG paper, 0.2 s and 0.5 mV apart."""
    upright = [f"M{x:g} 0V{_HEIGHT:g}" for x in np.arange(0, _WIDTH + 1, 0.2 * _PX_PER_S)]
    level = [f"M0 {y:g}H{_WIDTH:g}" for y in np.arange(0, _HEIGHT + 1, 0.5 * _PX_PER_MV)]
    return "".join(upright + level)


def _entry(
    row: dict,
    excerpts_folder: str | Path,
    names: SubjectNames,
    settings: BeatSettings,
    decisions: dict[int, dict[int, ReviewDecision]],
) -> dict:
    subject = subject_name(row["subject_id"])
    excerpts = read_table(Path(excerpts_folder) / f"{subject}.parquet", "excerpts")
    assessment = assess_row(excerpts, row, settings, decisions.get(row["subject_id"], {}))
    label = next(name for name, label in CLASSES.items() if label == row["label"])
    about = {"subject": names[subject], "to_write": names.to_write(row["subject_id"])}
    about["threshold"] = describe_threshold(deciding_threshold(row, settings.quality, settings.rhythm, settings.beats))
    about |= {"class": label, "rejection_counts": dict(row["rejection_counts"])}
    return row | about | ecg_strip(assessment)


def ecg_strip(assessment: ExcerptAssessment) -> dict:
    """Ten seconds around the middle R peak, or in the middle of what was recorded if there is none.

    `lines`: the points of polylines, one for each stretch that was recorded. `marks`: (x, good) of R peaks. `from_s`:
    where the strip begins in the excerpt. `seconds`: (x, second of the excerpt) of the whole seconds.
    """
    centers = assessment.r_peaks if len(assessment.r_peaks) else np.flatnonzero(np.isfinite(assessment.filtered_mv))
    length = round(_STRIP_S * RATE_HZ)
    start = min(max(0, centers[len(centers) // 2] - length // 2), max(0, len(assessment.filtered_mv) - length))
    shown_mv = assessment.filtered_mv[start : start + length]
    points = np.stack(
        [
            np.arange(len(shown_mv)) / RATE_HZ * _PX_PER_S,
            np.clip(_ZERO - shown_mv * _PX_PER_MV, 0, _HEIGHT),
        ],
        axis=1,
    )
    inside = (assessment.r_peaks >= start) & (assessment.r_peaks < start + length)
    from_s = start / RATE_HZ
    whole_s = np.arange(np.ceil(from_s), from_s + _STRIP_S - _LABEL_S)
    return {
        "lines": [
            " ".join(f"{x:.1f},{y:.1f}" for x, y in points[run])
            for run in np.ma.clump_unmasked(np.ma.masked_invalid(points[:, 1]))
        ],
        "marks": [
            (float((r - start) / RATE_HZ * _PX_PER_S), bool(good))
            for r, good in zip(assessment.r_peaks[inside], assessment.beat_labels.is_good[inside], strict=True)
        ],
        "from_s": from_s,
        "seconds": [((second - from_s) * _PX_PER_S, int(second)) for second in whole_s.tolist()],
    }
