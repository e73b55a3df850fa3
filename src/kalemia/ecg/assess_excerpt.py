"""Assess the ECG of one excerpt: find its beats, label each beat, and decide whether the excerpt is usable."""

from dataclasses import dataclass

import numpy as np

from kalemia.core.config import Beats, Ecg, Quality, Rhythm
from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.ecg.fiducial import Fiducials, FiducialTemplate, place_fiducials
from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.pacing import pacing_spike_ratio
from kalemia.ecg.quality import BeatLabels, any_in_ranges, ends_clipped_run, ends_flat_run, label_beats
from kalemia.ecg.rhythm import median_cosen
from kalemia.ecg.rpeaks import detect_qrs

_MAX_ECG_MV = 1000.0  # larger values cannot be an ECG and count as missing
_HIDES_BEAT_S = 0.1  # so many missing samples can hide a QRS complex
_LONG_RR_RATIO = 1.4  # an interval is long above this multiple of the median interval
_ONSET_BEFORE_R_MS = 200.0  # a beat begins this long before its R peak


@dataclass(frozen=True)
class ExcerptAssessment:
    """The beats of one excerpt, the label of each beat, and the decision on the excerpt.

    filtered_mv: (samples,) float32, as long as the excerpt, NaN where nothing was recorded.
    fiducials: the wave that is marked in each of the n beats.
    beats_mv: (n, 120) float32, filtered, the marked wave at index 40.
    rr_before_ms, rr_after_ms: (n,) intervals to the previous and the next R peak; NaN at the ends of the excerpt.
    n_compared: (n,) number of samples of each beat that come before the next beat's onset.
    median_cosen, pacing_spike_ratio: as computed by `kalemia.ecg.rhythm` and `kalemia.ecg.pacing`.
    reason: why the excerpt is excluded (one of `kalemia.cohort.inclusion_flow.REASONS`), or None.
    """

    filtered_mv: np.ndarray
    fiducials: Fiducials
    beats_mv: np.ndarray
    rr_before_ms: np.ndarray
    rr_after_ms: np.ndarray
    n_compared: np.ndarray
    beat_labels: BeatLabels
    median_cosen: float
    pacing_spike_ratio: float
    reason: str | None

    @property
    def r_peaks(self) -> np.ndarray:
        """Peaks of the marked wave (n,): indices into the excerpt."""
        return self.fiducials.r_peaks

    @property
    def heart_rate_bpm(self) -> float:
        """Heart rate from the median RR interval; NaN if there is no interval."""
        return 60_000 / float(np.median(self.rr_after_ms[:-1])) if len(self.rr_after_ms) > 1 else float("nan")


def assess_excerpt(
    ecg_mv: np.ndarray,
    ecg: Ecg,
    quality: Quality,
    rhythm: Rhythm,
    beats: Beats,
    template: FiducialTemplate | None = None,
    set_marks: np.ndarray | None = None,
) -> ExcerptAssessment:
    """Assess an excerpt (samples,) of any length at 125 Hz in mV.

    set_marks: a sample (n,) near the R peak of each beat, ascending, in place of the detected ones.
    Samples that are not finite or exceed 1 V count as missing. Flat and clipped stretches and pacing spikes are looked
    for in the unfiltered ECG, everything else in the filtered ECG. Never raises for bad signals: a signal without
    usable beats gives an assessment with a reason.
    """
    recorded_mv = np.where(np.abs(ecg_mv) <= _MAX_ECG_MV, ecg_mv, np.nan).astype(np.float32)
    taps = bandpass_taps(RATE_HZ, ecg.band_hz, ecg.transition_hz, ecg.stopband_db, ecg.notch_hz)
    filtered_mv = bandpass(recorded_mv, taps)
    marks = detect_qrs(filtered_mv, RATE_HZ) if set_marks is None else set_marks
    fiducials = place_fiducials(filtered_mv, marks, RATE_HZ, template)
    r_peaks = fiducials.r_peaks
    rr_ms = np.diff(r_peaks) * 1000 / RATE_HZ
    rr_after_ms = np.append(rr_ms, np.nan)[: len(r_peaks)]
    next_onset = (np.nan_to_num(rr_after_ms) - _ONSET_BEFORE_R_MS) / 1000 * RATE_HZ
    n_compared = np.clip(R_INDEX + np.ceil(next_onset), R_INDEX + 1, BEAT_SAMPLES).astype(np.int64)
    beats_mv = cut_beats(filtered_mv, r_peaks)
    labels = label_beats(
        beats_mv,
        *_find_faulty_beats(recorded_mv, r_peaks, quality),
        _known_intervals(rr_ms, r_peaks, filtered_mv),
        n_compared,
        R_INDEX,
        quality,
    )
    between_good_beats = labels.is_good[1:] & labels.is_good[:-1]
    cosen = median_cosen(rr_ms[between_good_beats]) if len(r_peaks) else float("nan")
    spike_ratio = pacing_spike_ratio(recorded_mv, r_peaks[labels.is_good], RATE_HZ)
    return ExcerptAssessment(
        filtered_mv=filtered_mv,
        fiducials=fiducials,
        beats_mv=beats_mv,
        rr_before_ms=np.insert(rr_ms, 0, np.nan)[: len(r_peaks)],
        rr_after_ms=rr_after_ms,
        n_compared=n_compared,
        beat_labels=labels,
        median_cosen=cosen,
        pacing_spike_ratio=spike_ratio,
        reason=_exclusion_reason(labels, cosen, spike_ratio, quality, rhythm, beats),
    )


def cut_beats(ecg_mv: np.ndarray, r_peaks: np.ndarray) -> np.ndarray:
    """Cut beats (n, 120) around R peaks (n,); NaN where a beat extends beyond the ECG."""
    padded = np.pad(ecg_mv, (R_INDEX, BEAT_SAMPLES), constant_values=np.nan)
    return padded[r_peaks[:, None] + np.arange(BEAT_SAMPLES)]


def _known_intervals(rr_ms: np.ndarray, r_peaks: np.ndarray, ecg_mv: np.ndarray) -> np.ndarray:
    """The intervals (n - 1,), NaN where they are long and hold a gap, in which a beat may have been lost."""
    n_missing = np.concatenate([[0], np.cumsum(np.isnan(ecg_mv))])
    has_gap = np.diff(n_missing[r_peaks]) > _HIDES_BEAT_S * RATE_HZ
    if has_gap.all():
        return rr_ms
    return np.where(has_gap & (rr_ms > _LONG_RR_RATIO * np.median(rr_ms[~has_gap])), np.nan, rr_ms)


def _find_faulty_beats(ecg_mv: np.ndarray, r_peaks: np.ndarray, quality: Quality) -> tuple[np.ndarray, np.ndarray]:
    """For each beat, whether it contains a flat stretch and whether it contains a clipped one; two arrays (n,)."""
    start, stop = r_peaks - R_INDEX, r_peaks - R_INDEX + BEAT_SAMPLES
    n_flat, n_clipped = (max(2, round(ms / 1000 * RATE_HZ)) for ms in (quality.flat_ms, quality.clipped_ms))
    return (
        any_in_ranges(ends_flat_run(ecg_mv, n_flat), start + n_flat - 1, stop),
        any_in_ranges(ends_clipped_run(ecg_mv, n_clipped), start, stop),
    )


def _exclusion_reason(
    labels: BeatLabels, cosen: float, spike_ratio: float, quality: Quality, rhythm: Rhythm, beats: Beats
) -> str | None:
    """The first reason that applies, from the list in `kalemia.cohort.inclusion_flow`."""
    n_beats, n_good = len(labels.reason_index), int(np.count_nonzero(labels.is_good))
    if n_beats < beats.min_per_draw:
        return "too few R peaks"
    if spike_ratio > rhythm.max_pacing_spike_ratio:
        return "pacing in the ECG"
    if cosen > rhythm.max_cosen:
        return "atrial fibrillation in the ECG"
    if labels.ectopic_fraction > rhythm.max_ectopic_fraction:
        return "ectopic beats"
    if n_good < max(beats.min_per_draw, quality.min_good_fraction * n_beats):
        return "too few good beats"
    return None
