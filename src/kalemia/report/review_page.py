"""The page on which a person reviews the excerpts that lie nearest the thresholds."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.beats import BeatSettings
from kalemia.ecg.judgement import Judgement, judge_excerpt
from kalemia.nearness import nearest
from kalemia.report.html import write_html
from kalemia.tables import RATE_HZ, read_table

_STRIP_S = 10
_PX_PER_S, _PX_PER_MV, _HEIGHT = 90, 28, 110


def write_review(
    quality_paths: Iterable[str | Path],
    excerpts_folder: str | Path,
    settings: BeatSettings,
    most: int,
    study: str,
    simulated: bool,
    path: str | Path,
) -> None:
    """Write the page: at most so many excerpts as strips of ten seconds with R marks, verdict and reason."""
    rows = pa.concat_tables([read_table(quality, "quality") for quality in quality_paths]).to_pylist()
    chosen = nearest(rows, most, settings.quality, settings.rhythm, settings.beats)
    write_html(
        path,
        "review.html",
        study=study,
        simulated=simulated,
        n_excerpts=len(rows),
        decided=Counter(row["review"] for row in rows if row["review"]),
        excerpts=[_entry(row, excerpts_folder, settings) for row in chosen],
        width=_STRIP_S * _PX_PER_S,
        height=_HEIGHT,
    )


def _entry(row: dict, excerpts_folder: str | Path, settings: BeatSettings) -> dict:
    excerpts = read_table(Path(excerpts_folder) / f"p{row['subject_id']:06d}.parquet", "excerpts")
    at = excerpts["draw_id"].to_pylist().index(row["draw_id"])
    ecg_mv = excerpts["ecg_mv"][at].values.to_numpy()
    judged = judge_excerpt(ecg_mv, settings.ecg, settings.quality, settings.rhythm, settings.beats)
    return row | {"lost": dict(row["lost"])} | strip(judged)


def strip(judged: Judgement) -> dict:
    """The ten seconds around the middle R peak: `line`, the points of a polyline, and `marks`, (x, good) of R peaks."""
    middle = int(judged.r_peaks[len(judged.r_peaks) // 2])
    length = round(_STRIP_S * RATE_HZ)
    start = min(max(0, middle - length // 2), max(0, len(judged.filtered_mv) - length))
    shown_mv = judged.filtered_mv[start : start + length]
    x = np.arange(len(shown_mv)) / RATE_HZ * _PX_PER_S
    y = np.clip(_HEIGHT / 2 - shown_mv * _PX_PER_MV, 0, _HEIGHT)
    inside = (judged.r_peaks >= start) & (judged.r_peaks < start + length)
    return {
        "line": " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(b)),
        "marks": [
            (float((r - start) / RATE_HZ * _PX_PER_S), bool(good))
            for r, good in zip(judged.r_peaks[inside], judged.verdicts.good[inside], strict=True)
        ],
    }
