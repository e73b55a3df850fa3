"""Mark the same wave of the QRS complex in every ECG of a person, whatever potassium makes of its height and width.

The wave is chosen once, from one ECG: the R wave, or the S (QS) wave where there is hardly an R wave. In any other ECG
it is the deflection of that direction around which the average beat, stretched or compressed in time, resembles the
first one most. Heights do not decide: as potassium rises, the R wave falls, the S wave deepens and the QRS complex
widens, but the order of its waves stays.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import toeplitz
from scipy.ndimage import maximum_filter1d

_AVERAGE_S = 0.45  # half the length of the average beat
_ALIGNED_S = 0.12  # half the length over which beats are aligned
_MAX_SHIFT_S = 0.1  # a mark is this close to its place in the average beat
_GOLDEN_RATIO = 0.5 * (5**0.5 - 1)
_N_AVERAGED = 120  # beats; more do not make the average better
_MIN_SEED_CORRELATION = 0.9
_COMMON = 0.3  # of the beats; a less common shape is not the typical one
_MIN_MEMBER_CORRELATION = 0.8  # a beat that resembles the average less does not contribute to it
_FAR_PENALTY = 0.5  # how much less a resemblance counts that is farthest from the mark
_N_ALIGNMENTS = 2
_WAVE_BEFORE_S, _WAVE_AFTER_S = 0.2, 0.1  # where the waves of a QRS complex peak, relative to its mark
_STEEP_S = 0.032  # a wave's steepest slope is this close to its peak
_MIN_STEEPNESS = 0.15  # slope of a wave relative to the steepest of the QRS complex; a P wave's is less
_FLAT_S, _FLATNESS = 0.024, 0.06  # a QRS complex ends where the slope is less than this part of the steepest one
_MAX_Q_TO_R_S = 0.08  # an R wave follows a Q wave as soon as this
_MIN_Q_TO_R = 0.15  # less is no Q or S wave
_MIN_R_TO_S = 0.4  # a lower R wave is not chosen
_TEMPLATE_S = 0.08  # half the length of the template that is compared
_STRETCHES = np.geomspace(0.33, 3, 23)  # of time, from a QRS complex of 240 ms to one of 80 ms and back
_MIN_R_TO_T_S = 0.17  # from an R to a T wave
_LATE_PENALTY = 0.6  # how much better the correlation of what may be a T wave must be
_STRETCH_PENALTY = 0.1  # how much better that of a template must be that is stretched e times
_STEEPNESS_WEIGHT = 0.2  # how much better that of a flat wave must be, which may be a P wave
_MIN_CORRELATION = 0.7  # the place of a beat that resembles the average less is not known from the average
_UNLIKE_REFINE_S = 0.06  # the peak of such a beat is this close to its mark
_REFINE_S = 0.024  # the peak in each beat is this close to its place in the average beat
_MIN_CONFIDENCE = {True: 0.5, False: 0.7}  # with and without a baseline; below it may be another wave
_BASELINE_S, _BASELINE_FLATNESS = 0.048, 0.08  # the least length and the most slope of a baseline before a QRS complex
_LEAST_POWER = 1e-24  # mV squared; in place of 0 where nothing was recorded
_QUANTILE_STEP = 8  # every eighth sample is enough to estimate a median


@dataclass(frozen=True)
class FiducialTemplate:
    """The wave that is marked in all ECGs of a person, as it is in one of them.

    upward: whether it is an R wave, otherwise it is an S (or QS) wave. average_mv: (2 n + 1,) average beat, the peak of
    the wave in the middle. has_baseline: whether it is flat somewhere before that, as it is not in a sine wave, whose
    waves cannot be told apart.
    """

    upward: bool
    average_mv: np.ndarray
    has_baseline: bool

    @property
    def wave(self) -> str:
        """R or S."""
        return "R" if self.upward else "S"


@dataclass(frozen=True)
class Fiducials:
    """The marked wave in the beats of one ECG.

    r_peaks: (n,) ascending indices, int64. confidence: (n,) from 0 to 1, the correlation of the beat with the average
    beat times that of the average beat with the template, stretched in time. found: whether the template's wave was
    found; if not, the wave was chosen from this ECG alone. own: the wave and the average beat of this ECG; None without
    beats.
    """

    r_peaks: np.ndarray
    confidence: np.ndarray
    found: bool
    own: FiducialTemplate | None

    @property
    def wave(self) -> str | None:
        """R or S; None without beats."""
        return self.own.wave if self.own else None


def place_fiducials(
    filtered_mv: np.ndarray, marks: np.ndarray, rate_hz: float, template: FiducialTemplate | None = None
) -> Fiducials:
    """Move the mark of each QRS complex (n,) in an ECG (samples,), mV, NaN in gaps, to the peak of the template's wave.

    Without a template the wave is chosen from this ECG alone. Marks at the very ends of the ECG are dropped.
    """
    edge = round(_UNLIKE_REFINE_S * rate_hz)
    marks = marks[(marks >= edge) & (marks < len(filtered_mv) - edge)]
    if not len(marks):
        return Fiducials(np.empty(0, np.int64), np.empty(0), template is None, None)
    half = round(_AVERAGE_S * rate_hz)
    margin = half + 2 * round(_MAX_SHIFT_S * rate_hz)
    padded_mv, marks = np.pad(np.nan_to_num(filtered_mv), margin), marks + margin
    anchors, correlation = _align_marks(padded_mv, marks, rate_hz)
    members = anchors[_resembles(correlation)]
    around = members[_spread(len(members)), None] + np.arange(-half, half + 1)
    average_mv = np.median(padded_mv[around], axis=0) - _level(filtered_mv)
    (upward, peak), confidence, is_found = _choose_wave(average_mv, rate_hz), 1.0, True
    if template is not None:
        found_peak, confidence = _find_wave(average_mv, template, rate_hz)
        is_found = confidence >= _MIN_CONFIDENCE[_has_baseline(average_mv[: found_peak + 1], rate_hz)]
        if is_found:
            upward, peak = template.upward, found_peak

    is_alike = correlation >= _MIN_CORRELATION
    places = np.where(is_alike, anchors + peak - half, marks)
    reach = np.where(is_alike, round(_REFINE_S * rate_hz), edge)
    peaks = np.clip(_move_to_peak(padded_mv if upward else -padded_mv, places, reach) - margin, 0, len(filtered_mv) - 1)
    peaks = np.where(np.isfinite(filtered_mv[peaks]), peaks, marks - margin)
    peaks, first = np.unique(peaks, return_index=True)
    return Fiducials(
        r_peaks=peaks,
        confidence=confidence * np.clip(correlation[first], 0, 1),
        found=is_found,
        own=FiducialTemplate(upward, _centered(average_mv, peak), _has_baseline(average_mv[: peak + 1], rate_hz)),
    )


def _level(ecg_mv: np.ndarray) -> float:
    """The median of an ECG (samples,), about its baseline; 0 if nothing was recorded."""
    some_mv = ecg_mv[::_QUANTILE_STEP]
    recorded_mv = some_mv[np.isfinite(some_mv)]
    return float(np.median(recorded_mv)) if len(recorded_mv) else 0.0


def _align_marks(ecg_mv: np.ndarray, marks: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Move marks (n,) so that the beats lie on their average: their places, and their correlation with it; each (n,).

    The average is that of some beats, from the one that most others resemble on. ecg_mv has no gaps, and reaches beyond
    the marks.
    """
    reach, shift = round(_ALIGNED_S * rate_hz), round(_MAX_SHIFT_S * rate_hz)
    around_mv = ecg_mv[marks[:, None] + np.arange(-reach - shift, reach + shift + 1)].astype(np.float64)
    some_mv, width = around_mv[_spread(len(marks))], np.arange(2 * reach + 1)
    average_mv = _typical_beat(some_mv[:, shift + width])
    for _ in range(_N_ALIGNMENTS):
        start, correlation = _match(some_mv, average_mv)
        alike = _resembles(correlation)
        average_mv = np.median(np.take_along_axis(some_mv[alike], start[alike, None] + width, axis=1), axis=0)
    start, correlation = _match(around_mv, average_mv)
    return marks + start - shift, correlation


def _spread(n: int) -> np.ndarray:
    """Some of n beats (indices), at most `_N_AVERAGED`, spread over all but not in step with every second or third."""
    if n <= _N_AVERAGED:
        return np.arange(n)
    return np.unique((n * (_GOLDEN_RATIO * np.arange(_N_AVERAGED) % 1)).astype(np.int64))


def _resembles(correlation: np.ndarray) -> np.ndarray:
    """Whether each beat (n,) resembles the average enough to contribute to it; some always do."""
    return correlation >= min(_MIN_MEMBER_CORRELATION, np.quantile(correlation, 1 - _COMMON))


def _match(around_mv: np.ndarray, average_mv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where in each stretch (n, samples) the average beat begins if it fits best, and its correlation; each (n,)."""
    n_starts = around_mv.shape[1] - len(average_mv) + 1
    average_mv = average_mv - average_mv.mean()
    sums = _shifted(np.ones(len(average_mv)), n_starts)
    power = around_mv**2 @ sums - (around_mv @ sums) ** 2 / len(average_mv)
    norm = np.sqrt(np.maximum(power, _LEAST_POWER))
    product = np.maximum(around_mv @ _shifted(average_mv, n_starts), 0)
    nearness = 1 - _FAR_PENALTY * np.linspace(-1, 1, n_starts) ** 2
    start = np.argmax(nearness * product**2 / norm, axis=1)  # near, high and alike
    at = np.arange(len(start)), start
    return start, product[at] / (norm[at] * max(np.linalg.norm(average_mv), np.sqrt(_LEAST_POWER)))


def _shifted(weights: np.ndarray, n: int) -> np.ndarray:
    """Matrix with n columns that hold the weights, shifted down by one sample from column to column."""
    return toeplitz(np.pad(weights, (0, n - 1)), np.zeros(n))


def _typical_beat(beats_mv: np.ndarray) -> np.ndarray:
    """The median of the most common shape of beats (n, samples): (samples,).

    Of shapes that are both common the narrower is taken: in bigeminy every second beat is ventricular, and wide.
    """
    unit = beats_mv - beats_mv.mean(axis=1, keepdims=True)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.sqrt(_LEAST_POWER))
    alike = unit @ unit.T >= _MIN_SEED_CORRELATION
    first = alike[alike.sum(axis=1).argmax()]
    other = alike & ~first
    second = other[other.sum(axis=1).argmax()]
    common = [shape for shape in (first, second) if np.count_nonzero(shape) >= _COMMON * len(shape)]
    averages_mv = [np.median(beats_mv[shape], axis=0) for shape in common] or [np.median(beats_mv, axis=0)]
    return max(averages_mv, key=_narrowness)


def _narrowness(average_mv: np.ndarray) -> float:
    """Mean square of an average beat's slope (samples,), relative to its own."""
    return float(np.var(np.diff(average_mv)) / max(np.var(average_mv), _LEAST_POWER))


def _choose_wave(average_mv: np.ndarray, rate_hz: float) -> tuple[bool, int]:
    """Whether an average beat, 0 mV between its waves, has an R wave; the index of the R wave, or else the S wave."""
    (upward, _), (downward, _) = _wave_peaks(average_mv, rate_hz), _wave_peaks(-average_mv, rate_hz)
    s_peak, r_peak = _highest(-average_mv, downward), _highest(average_mv, upward)
    if -average_mv[s_peak] > _MIN_Q_TO_R * average_mv[r_peak]:  # what comes later is a T wave
        r_peak = _highest(average_mv, upward[upward <= s_peak + _MAX_Q_TO_R_S * rate_hz])
    has_r = average_mv[r_peak] >= _MIN_R_TO_S * -average_mv[s_peak]
    return bool(has_r), r_peak if has_r else s_peak


def _wave_peaks(average_mv: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Upward waves of the QRS complex in the middle of an average beat: indices, and slopes relative to the steepest.

    The complex ends where the beat is flat for a moment, unless P or T are fused with it.
    """
    middle, near = len(average_mv) // 2, round(_STEEP_S * rate_hz)
    first, last = middle - round(_WAVE_BEFORE_S * rate_hz), middle + round(_WAVE_AFTER_S * rate_hz)
    slope = np.abs(np.diff(average_mv, append=average_mv[-1]))
    inside = middle - 2 * near + int(slope[middle - 2 * near : middle + 2 * near].argmax())  # the mark may lie beside
    steepest = slope[first : last + 1].max()
    is_flat = maximum_filter1d(slope, round(_FLAT_S * rate_hz)) < _FLATNESS * steepest
    flat = np.flatnonzero(is_flat[first : last + 1]) + first
    first, last = flat[flat < inside].max(initial=first), flat[flat > inside].min(initial=last)
    peaks = np.arange(first, last + 1)
    peaks = peaks[(average_mv[peaks] >= average_mv[peaks - 1]) & (average_mv[peaks] > average_mv[peaks + 1])]
    flank = slope[peaks[:, None] + np.arange(-near, near)].max(axis=1, initial=0)
    is_steep = flank >= _MIN_STEEPNESS * steepest
    return peaks[is_steep], flank[is_steep] / steepest


def _highest(average_mv: np.ndarray, peaks: np.ndarray) -> int:
    """The highest of some peaks (indices), or the middle of the average beat if there are none."""
    return int(peaks[average_mv[peaks].argmax()]) if len(peaks) else len(average_mv) // 2


def _find_wave(average_mv: np.ndarray, template: FiducialTemplate, rate_hz: float) -> tuple[int, float]:
    """Index of the template's wave in an average beat, 0 mV between its waves, and the correlation there.

    Waves that may be the T wave after an earlier one must correlate better, because T follows S as R does. The
    correlation is 0 if there is no wave of that direction.
    """
    upright_mv = average_mv if template.upward else -average_mv
    middle, (peaks, steepness) = len(template.average_mv) // 2, _wave_peaks(upright_mv, rate_hz)
    if not len(peaks):
        return len(average_mv) // 2, 0.0
    reach = round(_TEMPLATE_S * rate_hz)
    around = np.arange(-reach, reach + 1)
    stretched = _STRETCHES[:, None] * around
    found_mv = np.interp(peaks[:, None, None] + stretched, np.arange(len(average_mv)), average_mv)
    correlation = _correlation(found_mv, template.average_mv[middle + around])  # of each peak at each stretch
    is_late = peaks - peaks[0] >= _MIN_R_TO_T_S * rate_hz
    score = correlation - _STRETCH_PENALTY * np.abs(np.log(_STRETCHES))
    score += (_STEEPNESS_WEIGHT * steepness - _LATE_PENALTY * is_late)[:, None]
    best, stretch = np.unravel_index(score.argmax(), score.shape)
    return int(peaks[best]), max(0.0, float(correlation[best, stretch]))


def _correlation(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Correlation of the last axis of `values` with a reference (samples,)."""
    values, reference = values - values.mean(axis=-1, keepdims=True), reference - reference.mean()
    norm = np.linalg.norm(values, axis=-1) * np.linalg.norm(reference)
    return np.divide(values @ reference, norm, out=np.zeros_like(norm), where=norm > 0)


def _centered(average_mv: np.ndarray, peak: int) -> np.ndarray:
    """The average beat with a peak (index) in the middle; beyond its ends it keeps its last value."""
    at = np.arange(len(average_mv)) + peak - len(average_mv) // 2
    return average_mv[np.clip(at, 0, len(average_mv) - 1)]


def _has_baseline(before_mv: np.ndarray, rate_hz: float) -> bool:
    """Whether an average beat up to the peak of its wave (samples,) has a baseline."""
    slope = np.abs(np.diff(before_mv))
    window = round(_BASELINE_S * rate_hz)
    return bool(
        maximum_filter1d(slope, window)[window:].min(initial=np.inf) < _BASELINE_FLATNESS * slope.max(initial=0)
    )


def _move_to_peak(ecg_mv: np.ndarray, places: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Move places (n,) to the peak within reach (n,); one stays where the ECG only rises to the end of its reach."""
    around = np.arange(-reach.max(), reach.max() + 1)
    within = np.abs(around) <= reach[:, None]
    move = around[np.where(within, ecg_mv[places[:, None] + around], -np.inf).argmax(axis=1)]
    return places + np.where(np.abs(move) < reach, move, 0)
