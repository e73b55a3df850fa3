"""R peaks: where the ventricles depolarize, to the sample."""

import numpy as np
import sleepecg

from kalemia.ecg.filters import recorded_runs

MIN_RUN_S = 10.0  # the detector's adaptive threshold needs some seconds to settle
_REFINE_MS = 60.0  # sleepecg marks the QRS on a smoothed derivative; the extremum lies this near


def detect_r_peaks(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Indices (int64, ascending) of the R peaks in a filtered ECG with NaN in its gaps.

    The detector is sleepecg's (a modified Pan-Tompkins; Brunner 2023); each of its marks is then moved to the largest
    deviation of the wave that dominates the QRS complexes of this ECG, upward or downward. Runs of less than 10 s
    hold no peaks.
    """
    runs = [run for run in recorded_runs(ecg_mv) if (run.stop - run.start) / rate_hz >= MIN_RUN_S]
    marks = [run.start + sleepecg.detect_heartbeats(ecg_mv[run].astype(np.float64), rate_hz) for run in runs]
    if not marks:
        return np.empty(0, np.int64)
    return _at_extremum(ecg_mv, np.concatenate(marks).astype(np.int64), rate_hz)


def _at_extremum(ecg_mv: np.ndarray, marks: np.ndarray, rate_hz: float) -> np.ndarray:
    reach = round(_REFINE_MS / 1000 * rate_hz)
    marks = marks[(marks >= reach) & (marks < len(ecg_mv) - reach)]
    if not len(marks):
        return marks
    around = np.nan_to_num(ecg_mv[marks[:, None] + np.arange(-reach, reach + 1)])
    upward = np.median(around.max(axis=1)) >= np.median(-around.min(axis=1))
    peaks = marks - reach + (around if upward else -around).argmax(axis=1)
    return np.unique(peaks)
