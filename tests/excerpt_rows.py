"""Rows of an excerpts table with a clean synthetic ECG of ten minutes in two segments."""

from datetime import datetime

import numpy as np

from ecg_signals import clean_ecg, regular_r_samples

N = 75_000
FROM = 1_000_000


def excerpt(draw_id: int, **other) -> dict:
    """A row of subject 7 with an R peak at samples 60, 160 and so on, and a gap of 1000 samples."""
    ecg_mv = clean_ecg(regular_r_samples(N), N)
    ecg_mv[40_000:41_000] = np.nan
    segments = [
        {"name": "3000000_0001", "start": FROM, "stop": FROM + 40_000, "gain": 50.0, "baseline": 0},
        {"name": "3000000_0002", "start": FROM + 41_000, "stop": FROM + N, "gain": 40.0, "baseline": 3},
    ]
    row = {
        "subject_id": 7,
        "draw_id": draw_id,
        "draw_time": datetime(2150, 1, 1, draw_id),
        "value": 6.0,
        "label": 1,
        "hadm_id": 100007,
    }
    row |= {"recording": "p00/p000007/p000007-2150-01-01-00-00", "sample_from": FROM, "rate_hz": 125.0}
    return row | {"ecg_mv": ecg_mv, "segments": segments, "reason": None} | other
