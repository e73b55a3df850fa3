"""Label each beat of an excerpt as good, or with the reason why it is not."""

from dataclasses import dataclass

import numpy as np

from kalemia.core.config import Quality
from kalemia.ecg.ectopy import fill_unknown, sort_clusters, usual_rr_ms
from kalemia.ecg.morphology import BeatMatrix, cluster_beats

BEAT_REASONS = (
    "missing samples",
    "flat line",
    "clipped",
    "interval out of range",
    "ectopic",
    "amplitude jump",
    "unlike the draw's other beats",
)
_MISSING, _FLAT, _CLIPPED, _INTERVAL, _ECTOPIC, _JUMP, _UNLIKE = range(len(BEAT_REASONS))
_MIN_BEAT_RR_RATIO = 0.85  # a single beat that is unlike the others is ectopic if it comes earlier than this


@dataclass(frozen=True)
class BeatLabels:
    """Quality and rejection reason of each of n beats.

    quality: (n,) from 0 to 1. reason_index: (n,) int64, index into `BEAT_REASONS`, -1 for a good beat.
    """

    quality: np.ndarray
    reason_index: np.ndarray

    @property
    def is_good(self) -> np.ndarray:
        """(n,) bool."""
        return self.reason_index < 0

    @property
    def ectopic_fraction(self) -> float:
        """Fraction of all beats that are ectopic; 0 if there are no beats."""
        return float(np.mean(self.reason_index == _ECTOPIC)) if len(self.reason_index) else 0.0

    def rejection_counts(self) -> list[tuple[str, int]]:
        """(reason, number of beats) for every reason that occurs, in the order of `BEAT_REASONS`."""
        counts = np.bincount(self.reason_index[~self.is_good], minlength=len(BEAT_REASONS))
        return [(name, int(count)) for name, count in zip(BEAT_REASONS, counts, strict=True) if count]


def ends_flat_run(ecg_mv: np.ndarray, min_samples: int) -> np.ndarray:
    """Whether each sample (n,) ends a run of `min_samples` equal samples."""
    return _ends_run(np.diff(ecg_mv, prepend=np.nan) == 0, min_samples - 1)


def ends_clipped_run(ecg_mv: np.ndarray, min_samples: int) -> np.ndarray:
    """Whether each sample (n,) ends a run of `min_samples` samples at the minimum or maximum of the ECG."""
    if not np.isfinite(ecg_mv).any():
        return np.zeros(len(ecg_mv), bool)
    return _ends_run((ecg_mv == np.nanmin(ecg_mv)) | (ecg_mv == np.nanmax(ecg_mv)), min_samples)


def _ends_run(marked: np.ndarray, min_samples: int) -> np.ndarray:
    total = np.cumsum(np.concatenate([np.zeros(min_samples, np.int64), marked]))
    ends = np.zeros(len(marked), bool)
    if min_samples <= len(marked):
        ends[min_samples - 1 :] = total[2 * min_samples - 1 :] - total[min_samples - 1 : -min_samples] == min_samples
    return ends


def any_in_ranges(marked: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Whether any sample is marked in each of the ranges [start, stop), which may extend beyond the samples."""
    total = np.concatenate([[0], np.cumsum(marked)])
    return total[np.clip(stop, 0, len(marked))] > total[np.clip(start, 0, len(marked))]


def label_beats(
    beats_mv: np.ndarray,
    is_flat: np.ndarray,
    is_clipped: np.ndarray,
    rr_ms: np.ndarray,
    n_compared: np.ndarray,
    r_index: int,
    settings: Quality,
) -> BeatLabels:
    """Label each beat (n, samples) of an excerpt, in mV with the R peak at `r_index`.

    is_flat, is_clipped: (n,) bool, whether the beat contains a flat or a clipped stretch. rr_ms: (n - 1,) intervals
    from each beat to the next, NaN where they are unknown. n_compared: (n,) number of samples of each beat that are
    compared with templates.

    The beats of the clusters that `sort_clusters` finds normal are good, and their quality is the correlation with the
    cluster's template, times one minus the difference of the QRS complex.
    """
    if not len(beats_mv):
        return BeatLabels(np.empty(0), np.empty(0, np.int64))
    is_complete = np.isfinite(beats_mv).all(axis=1)
    in_range = (rr_ms >= settings.rr_range_ms[0]) & (rr_ms <= settings.rr_range_ms[1])
    rr_ms = fill_unknown(rr_ms)
    ratio_before = np.append(np.nan, rr_ms / usual_rr_ms(rr_ms))
    in_range = np.append(False, in_range) & np.append(in_range, False)
    usable = is_complete & ~is_flat & ~is_clipped & in_range

    beats = BeatMatrix(np.where(is_complete[:, None], beats_mv, 0), n_compared, r_index)
    thresholds = (settings.min_correlation, settings.max_qrs_difference, settings.amplitude_ratio_range)
    clusters = cluster_beats(beats, usable, *thresholds)
    normal, ectopic = sort_clusters(clusters, rr_ms, r_index, settings.max_qrs_difference)
    quality, reason = np.zeros(len(beats_mv)), np.full(len(beats_mv), _UNLIKE)
    if normal:
        match = normal[0].match
        has_other_amplitude = ~_within(match.amplitude_ratio, settings.amplitude_ratio_range)
        reason[(match.correlation >= settings.min_correlation) & has_other_amplitude] = _JUMP
    reason[(reason == _UNLIKE) & (ratio_before < _MIN_BEAT_RR_RATIO)] = _ECTOPIC
    for cluster in ectopic:
        reason[cluster.members] = _ECTOPIC
    for cluster in normal:
        members, match = cluster.members, cluster.match
        reason[members] = -1
        quality[members] = match.correlation[members] * (1 - np.minimum(match.qrs_difference[members], 1))
    reason[~in_range] = _INTERVAL
    reason[is_clipped] = _CLIPPED
    reason[is_flat] = _FLAT
    reason[~is_complete] = _MISSING
    return BeatLabels(quality, reason)


def _within(values: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    return (values >= bounds[0]) & (values <= bounds[1])
