"""Detect QRS complexes and R peaks."""

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter

from kalemia.ecg.fiducial import place_fiducials
from kalemia.ecg.filters import join_runs
from kalemia.ecg.sine_waves import mark_cycles, sine_stretches
from kalemia.ecg.t_waves import TWaveJudge, Waves, block_peaks, measure_waves

_MIN_RANGE_MV = 1e-6  # what is lower is what rounding leaves of a filtered ECG
_MIN_RECORDED_S = 10.0  # less does not show what is usual
_MAX_GAP_S = 1.0  # a longer gap is shortened to this
_QRS_S = 0.1  # length of a QRS complex
_REFRACTORY_S = 0.24  # two ventricular beats cannot be closer
_N_NEIGHBORS = 8  # beats on each side that a beat is compared with
# relative to what is usual around
_MIN_CANDIDATE_WEIGHT = 0.3
_MIN_CANDIDATE_STRENGTH = 0.6  # smooth extrasystoles have little weight
_MIN_WEIGHT = 0.25  # a mark with less is not a QRS complex
_MIN_SEARCH_BACK_STRENGTH = 0.3  # a wave in a long interval that is at least this strong is a missed QRS complex
_MAX_INTERPOSED_WEIGHT = 0.65  # a mark with less is no beat if it splits a usual interval
_USUAL_RR_RATIO = 1.2  # an interval is usual up to this multiple of the median interval
_LONG_RR_RATIO = 1.4  # an interval is long above this multiple
# relative to the mark before, if that is close
_MAX_T_DELAY_S = 0.36
_MAX_T_STRENGTH = 0.6  # a weaker mark is a T or P wave
_MAX_T_STEEPNESS = 1.5  # unless it is steeper
_MAX_FLAT_STEEPNESS = 0.5  # of two marks too close for two beats, one that is flatter than this is none


def detect_r_peaks(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Find the R peaks, or the S waves where there is no R wave, in a filtered ECG: as `detect_qrs`."""
    return place_fiducials(ecg_mv, detect_qrs(ecg_mv, rate_hz), rate_hz).r_peaks


def detect_qrs(ecg_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Mark each beat of a filtered ECG (samples,) in mV, NaN in gaps, once: ascending indices, int64 (n,).

    A QRS complex is where the ECG is strong between 5 and 25 Hz and steep, that is strong above 12 Hz, or above 8 Hz
    where QRS complexes are wide: a tall T wave is only strong. Every such place is a candidate. T waves are removed
    (see `TWaveJudge`), and of two marks closer than 240 ms one. A weak mark is removed if the interval that it splits
    is a usual one: a beat would have reset the rhythm. In a long interval the wave of the most weight is added if it is
    strong enough and no T wave (the search-back of Pan and Tompkins, IEEE Trans Biomed Eng 1985;32:230). Each mark is
    moved to the center of its QRS complex, which does not depend on which deflection is the highest;
    `kalemia.ecg.fiducial` moves it to one wave.

    Where no QRS complexes are left, the cycles of the sine wave are marked, if they are regular. There are no marks in
    less than 10 s of recorded ECG.
    """
    if np.count_nonzero(np.isfinite(ecg_mv)) < _MIN_RECORDED_S * rate_hz:
        return np.empty(0, np.int64)
    joined_mv, index = join_runs(ecg_mv, round(_MAX_GAP_S * rate_hz))
    if np.ptp(joined_mv) < _MIN_RANGE_MV:
        return np.empty(0, np.int64)
    waves = measure_waves(joined_mv, rate_hz)
    marks = _mark_qrs(waves)
    for stretch in sine_stretches(joined_mv, waves.strength, rate_hz):
        cycles = stretch.start + mark_cycles(joined_mv[stretch], rate_hz)
        if len(cycles):
            marks = np.union1d(marks[(marks < stretch.start) | (marks >= stretch.stop)], cycles)
    return np.unique(index[marks])


def _local_median(values: np.ndarray) -> np.ndarray:
    """Median of each value (n,) and its eight neighbors on each side; mirrored at the ends."""
    return median_filter(values, 2 * _N_NEIGHBORS + 1, mode="mirror") if len(values) else values


def _mark_qrs(waves: Waves) -> np.ndarray:
    marks = _remove_t_waves(_candidates(waves), waves)
    marks = _add_missed_beats(_remove_interposed(marks, waves), waves)
    return _move_to_center(_remove_t_waves(marks, waves), waves)


def _candidates(waves: Waves) -> np.ndarray:
    """Peaks of the weight that have enough weight or strength; where the weight stays the same, its last sample."""
    reach = round(_QRS_S * waves.rate_hz)
    peaks = np.flatnonzero((waves.weight == maximum_filter1d(waves.weight, 2 * reach + 1)) & (waves.weight > 0))
    peaks = peaks[np.diff(peaks, append=len(waves.weight) + reach) > reach]
    usual_weight, usual_strength = (block_peaks(values, waves.rate_hz) for values in (waves.weight, waves.strength))
    block = np.minimum(peaks // (len(waves.weight) // len(usual_weight)), len(usual_weight) - 1)
    has_weight = waves.weight[peaks] >= _MIN_CANDIDATE_WEIGHT * usual_weight[block]
    return peaks[has_weight | (waves.strength[peaks] >= _MIN_CANDIDATE_STRENGTH * usual_strength[block])]


def _remove_t_waves(marks: np.ndarray, waves: Waves) -> np.ndarray:
    """Remove marks that are too weak for a QRS complex, T waves, and one of each two marks that are too close."""
    marks = marks[waves.weight[marks] >= _MIN_WEIGHT * _local_median(waves.weight[marks])]
    while len(marks) > 1:
        delay_s = np.diff(marks) / waves.rate_hz
        strength, steepness = (values[marks[1:]] / values[marks[:-1]] for values in (waves.strength, waves.steepness))
        is_t = TWaveJudge(waves, marks).is_t_wave(marks[:-1], marks[1:])
        is_t |= (delay_s < _MAX_T_DELAY_S) & (strength < _MAX_T_STRENGTH) & (steepness < _MAX_T_STEEPNESS)
        is_later_worse = is_t | (steepness < _MAX_FLAT_STEEPNESS)
        is_later_worse |= (strength < 1) & (steepness < 1 / _MAX_FLAT_STEEPNESS)
        wrong_pairs = np.flatnonzero(is_t | (delay_s < _REFRACTORY_S))
        if not len(wrong_pairs):
            break
        first = _first_of_adjacent(wrong_pairs)
        marks = np.delete(marks, first + is_later_worse[first])
    return marks


def _remove_interposed(marks: np.ndarray, waves: Waves) -> np.ndarray:
    """Remove weak marks that split a usual interval."""
    while len(marks) > 2:
        weight, rr = waves.weight[marks], _local_median(np.diff(marks))
        is_weak = weight[1:-1] < _MAX_INTERPOSED_WEIGHT * _local_median(weight)[1:-1]
        is_weak &= weight[1:-1] < np.minimum(weight[2:], weight[:-2])
        splits_usual = marks[2:] - marks[:-2] < _USUAL_RR_RATIO * np.maximum(rr[1:], rr[:-1])
        wrong = np.flatnonzero(is_weak & splits_usual)
        if not len(wrong):
            break
        marks = np.delete(marks, _first_of_adjacent(wrong) + 1)
    return marks


def _first_of_adjacent(indices: np.ndarray) -> np.ndarray:
    """Of ascending indices (n,), those that do not directly follow another one: one removal may settle both."""
    return indices[np.diff(indices, prepend=-2) > 1]


def _add_missed_beats(marks: np.ndarray, waves: Waves) -> np.ndarray:
    """Add the wave of the most weight in each long interval if it may be a beat, until there is none."""
    refractory = round(_REFRACTORY_S * waves.rate_hz)
    while len(marks) > 2:
        rr, usual_strength = np.diff(marks), _local_median(waves.strength[marks])
        before, missed = [], []
        for i in np.flatnonzero(rr > _LONG_RR_RATIO * _usual_interval(rr)):
            between = waves.weight[marks[i] + refractory : marks[i + 1] - refractory + 1]
            best = int(between.argmax()) if len(between) else 0
            if 0 < best < len(between) - 1:  # not the flank of a neighbor
                at = marks[i] + refractory + best
                if waves.strength[at] >= _MIN_SEARCH_BACK_STRENGTH * usual_strength[i]:
                    before.append(marks[i])
                    missed.append(at)
        if missed:
            before, missed = np.array(before), np.array(missed)
            missed = missed[~TWaveJudge(waves, marks).is_t_wave(before, missed)]
        if not len(missed):
            break
        marks = np.union1d(marks, missed)
    return marks


def _usual_interval(rr: np.ndarray) -> np.ndarray:
    """The local median (n,) of the means of neighboring two intervals (n,), which does not see their alternation."""
    return _local_median((rr + np.append(rr[1:], rr[-1])) / 2)


def _move_to_center(marks: np.ndarray, waves: Waves) -> np.ndarray:
    """Move each mark to the center of the power around it: between R and S of a wide QRS complex."""
    reach = round(_QRS_S * waves.rate_hz)
    offsets = np.arange(-reach, reach + 1)
    for _ in range(3):
        power = np.square(waves.strength[np.clip(marks[:, None] + offsets, 0, len(waves.strength) - 1)])
        marks = marks + np.round(power @ offsets / power.sum(axis=1)).astype(np.int64)
    return np.unique(np.clip(marks, 0, len(waves.strength) - 1))
