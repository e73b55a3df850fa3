"""Tell atrial fibrillation from other rhythms by the irregularity of its intervals."""

import numpy as np

_INTERVALS_PER_SEGMENT = 60  # over which one entropy is computed
_MIN_INTERVALS = 30
_TOLERANCES_MS = (30.0, 40.0, 50.0, 70.0, 100.0, 150.0)
_MIN_MATCHES = 5


def cosen(rr_ms: np.ndarray) -> float:
    """Coefficient of sample entropy (COSEn) of RR intervals (n,) in ms, for m = 1; NaN if too few intervals match.

    Lake and Moorman, Am J Physiol Heart Circ Physiol 2011;300:H319: COSEn = SampEn + ln 2r - ln mean RR, where the
    tolerance r is raised from 30 ms until at least five pairs of intervals match for m + 1. Atrial fibrillation has
    values above about -1.4.
    """
    distance_ms = np.abs(rr_ms[:, None] - rr_ms[None, :])
    upper = np.triu(np.ones((len(rr_ms) - 1,) * 2, bool), 1)
    for tolerance_ms in _TOLERANCES_MS:
        alike = distance_ms <= tolerance_ms
        first = alike[:-1, :-1] & upper
        both = np.count_nonzero(first & alike[1:, 1:])
        if both >= _MIN_MATCHES:
            return float(np.log(np.count_nonzero(first) / both) + np.log(2 * tolerance_ms) - np.log(rr_ms.mean()))
    return float("nan")


def median_cosen(rr_ms: np.ndarray) -> float:
    """Median COSEn over segments of about 60 RR intervals (n,) in ms; NaN if there are fewer than 30 intervals.

    The caller must leave out intervals next to ectopic beats, because they are irregular in any rhythm. A segment
    without matching intervals counts as 0, more irregular than any value that can be measured.
    """
    if len(rr_ms) < _MIN_INTERVALS:
        return float("nan")
    n_segments = max(1, round(len(rr_ms) / _INTERVALS_PER_SEGMENT))
    entropies = [cosen(segment) for segment in np.array_split(rr_ms, n_segments)]
    return float(np.median(np.nan_to_num(entropies, nan=0.0)))
