"""From the ECG of one excerpt to its beats, the verdict on each, and why the whole is excluded if it is."""

from dataclasses import dataclass

import numpy as np

from kalemia.core.config import Beats, Ecg, Quality, Rhythm
from kalemia.core.schemas import BEAT_SAMPLES, R_INDEX, RATE_HZ
from kalemia.ecg.filters import bandpass, bandpass_taps
from kalemia.ecg.quality import Verdicts, any_within, beat_verdicts, clipped_samples, flat_samples
from kalemia.ecg.rhythm import irregularity, pacing_click
from kalemia.ecg.rpeaks import detect_r_peaks, local_median

_LARGEST_MV = 1000.0  # nothing beyond is an ECG
_ONSET_MS = 200.0  # a beat begins this long before its R peak


@dataclass(frozen=True)
class Judgement:
    """The beats (n, 120) of one excerpt and the verdict on each; `reason` says why the excerpt is excluded, or None.

    `filtered_mv` is as long as the excerpt, with NaN where nothing was recorded; intervals are NaN at the ends;
    `compared` (n,) is how many samples of a beat lie before the next beat's onset.
    """

    filtered_mv: np.ndarray
    r_peaks: np.ndarray
    beats_mv: np.ndarray
    before_ms: np.ndarray
    after_ms: np.ndarray
    compared: np.ndarray
    verdicts: Verdicts
    irregularity: float
    pacing_click: float
    reason: str | None

    @property
    def heart_rate_bpm(self) -> float:
        """From the median interval; NaN where there is none."""
        return 60_000 / float(np.median(self.after_ms[:-1])) if len(self.after_ms) > 1 else float("nan")


def judge_excerpt(ecg_mv: np.ndarray, ecg: Ecg, quality: Quality, rhythm: Rhythm, beats: Beats) -> Judgement:
    """The judgement of an excerpt of any length at 125 Hz in mV; what is not finite, or beyond 1 V, is missing.

    Faults of the signal are looked for before filtering, all else after it.
    """
    recorded_mv = np.where(np.abs(ecg_mv) <= _LARGEST_MV, ecg_mv, np.nan).astype(np.float32)
    taps = bandpass_taps(RATE_HZ, ecg.band_hz, ecg.transition_hz, ecg.stopband_db, ecg.notch_hz)
    filtered_mv = bandpass(recorded_mv, taps)
    r_peaks = detect_r_peaks(filtered_mv, RATE_HZ)
    rr_ms = np.diff(r_peaks) * 1000 / RATE_HZ
    after_ms = np.append(rr_ms, np.nan)[: len(r_peaks)]
    onset = (np.nan_to_num(after_ms) - _ONSET_MS) / 1000 * RATE_HZ
    compared = np.clip(R_INDEX + np.ceil(onset), R_INDEX + 1, BEAT_SAMPLES).astype(np.int64)
    beats_mv = segment_beats(filtered_mv, r_peaks)
    verdicts = beat_verdicts(
        beats_mv,
        *_faults(recorded_mv, r_peaks, quality),
        rr_ms,
        local_median(rr_ms),
        compared,
        R_INDEX,
        quality,
    )
    normal = verdicts.good[1:] & verdicts.good[:-1]
    irregular = irregularity(rr_ms[normal]) if len(r_peaks) else float("nan")
    click = pacing_click(recorded_mv, r_peaks[verdicts.good], RATE_HZ)
    return Judgement(
        filtered_mv=filtered_mv,
        r_peaks=r_peaks,
        beats_mv=beats_mv,
        before_ms=np.insert(rr_ms, 0, np.nan)[: len(r_peaks)],
        after_ms=after_ms,
        compared=compared,
        verdicts=verdicts,
        irregularity=irregular,
        pacing_click=click,
        reason=_reason(verdicts, irregular, click, quality, rhythm, beats),
    )


def segment_beats(ecg_mv: np.ndarray, r_peaks: np.ndarray) -> np.ndarray:
    """Beats (n, 120) cut around R peaks (n,); NaN where a beat reaches beyond the ECG."""
    padded = np.pad(ecg_mv, (R_INDEX, BEAT_SAMPLES), constant_values=np.nan)
    return padded[r_peaks[:, None] + np.arange(BEAT_SAMPLES)]


def _faults(ecg_mv: np.ndarray, r_peaks: np.ndarray, quality: Quality) -> tuple[np.ndarray, np.ndarray]:
    """Of each beat, whether it holds a flat stretch, and whether a clipped one."""
    start, stop = r_peaks - R_INDEX, r_peaks - R_INDEX + BEAT_SAMPLES
    flat, clipped = (max(2, round(ms / 1000 * RATE_HZ)) for ms in (quality.flat_ms, quality.clipped_ms))
    return (
        any_within(flat_samples(ecg_mv, flat), start + flat - 1, stop),
        any_within(clipped_samples(ecg_mv, clipped), start, stop),
    )


def _reason(
    verdicts: Verdicts, irregular: float, click: float, quality: Quality, rhythm: Rhythm, beats: Beats
) -> str | None:
    """The first reason that applies, of those that `kalemia.cohort.inclusion_flow` lists."""
    n_beats, n_good = len(verdicts.reason), int(np.count_nonzero(verdicts.good))
    if n_beats < beats.min_per_draw:
        return "too few R peaks"
    if click > rhythm.max_pacing_click:
        return "pacing in the ECG"
    if irregular > rhythm.max_irregularity:
        return "atrial fibrillation in the ECG"
    if verdicts.ectopic_share > rhythm.max_ectopic_share:
        return "ectopic beats"
    if n_good < max(beats.min_per_draw, quality.min_good_share * n_beats):
        return "too few good beats"
    return None
