"""Whether a beat is good enough to learn from, and if not, why."""

from dataclasses import dataclass

import numpy as np

from kalemia.core.config import Quality
from kalemia.ecg.morphology import BeatClass, Beats, beat_classes

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
_PREMATURE = 0.9  # of the usual interval: a class that comes earlier on the whole is ectopic
_PREMATURE_BEAT = 0.85  # a single beat that is unlike the others is ectopic when it comes earlier than this
_PAUSE = 1.15  # of the usual interval: so is a class that pauses longer on the whole
_IN_STEP = 0.03  # another class counts as normal if its intervals are usual to within this
_RELATED = 0.7  # and its template correlates with the first one's by this


@dataclass(frozen=True)
class Verdicts:
    """Of each beat (n,): its quality from 0 to 1 and the position of its reason in `BEAT_REASONS`, -1 if good."""

    quality: np.ndarray
    reason: np.ndarray

    @property
    def good(self) -> np.ndarray:
        return self.reason < 0

    @property
    def ectopic_share(self) -> float:
        """Of all beats; 0 where there are none."""
        return float(np.mean(self.reason == _ECTOPIC)) if len(self.reason) else 0.0

    def lost(self) -> list[tuple[str, int]]:
        """(reason, number of beats) of the reasons that occur."""
        counts = np.bincount(self.reason[~self.good], minlength=len(BEAT_REASONS))
        return [(name, int(count)) for name, count in zip(BEAT_REASONS, counts, strict=True) if count]


def flat_samples(ecg_mv: np.ndarray, at_least: int) -> np.ndarray:
    """Whether each sample (n,) ends a stretch of `at_least` equal ones."""
    return _ends_stretch(np.diff(ecg_mv, prepend=np.nan) == 0, at_least - 1)


def clipped_samples(ecg_mv: np.ndarray, at_least: int) -> np.ndarray:
    """Whether each sample (n,) ends a stretch of `at_least` at the smallest or the greatest value of the ECG."""
    if not np.isfinite(ecg_mv).any():
        return np.zeros(len(ecg_mv), bool)
    return _ends_stretch((ecg_mv == np.nanmin(ecg_mv)) | (ecg_mv == np.nanmax(ecg_mv)), at_least)


def _ends_stretch(marked: np.ndarray, at_least: int) -> np.ndarray:
    total = np.cumsum(np.concatenate([np.zeros(at_least, np.int64), marked]))
    ends = np.zeros(len(marked), bool)
    if at_least <= len(marked):
        ends[at_least - 1 :] = total[2 * at_least - 1 :] - total[at_least - 1 : -at_least] == at_least
    return ends


def any_within(marked: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Whether any sample is marked in each of the ranges [start, stop), which may reach beyond the samples."""
    total = np.concatenate([[0], np.cumsum(marked)])
    return total[np.clip(stop, 0, len(marked))] > total[np.clip(start, 0, len(marked))]


def beat_verdicts(
    beats_mv: np.ndarray,
    flat: np.ndarray,
    clipped: np.ndarray,
    rr_ms: np.ndarray,
    usual_rr_ms: np.ndarray,
    compared: np.ndarray,
    r_index: int,
    settings: Quality,
) -> Verdicts:
    """The verdict on each beat (n, samples) of an excerpt with its R peak at `r_index`.

    `flat` and `clipped` say so of each beat (n,). Intervals run from each beat to the next (n - 1,), `usual_rr_ms` is
    the median of the intervals around each. Of each beat the first `compared` (n,) samples are compared with others.
    Quality is the correlation with the template of the beat's class, times one less the difference of the QRS complex.

    Of the classes that `beat_classes` finds, those that come early or are followed by a pause are ectopic. The first
    of the others is normal. Further ones (an intermittent bundle branch block or pre-excitation) are normal if they
    keep step, resemble the first, and nothing is ectopic, because with ectopic beats there are fusion beats.
    """
    if not len(beats_mv):
        return Verdicts(np.empty(0), np.empty(0, np.int64))
    whole = np.isfinite(beats_mv).all(axis=1)
    relative = rr_ms / usual_rr_ms
    before, after = np.append(np.nan, relative), np.append(relative, np.nan)
    in_range = (rr_ms >= settings.rr_ms[0]) & (rr_ms <= settings.rr_ms[1])
    in_range = np.append(False, in_range) & np.append(in_range, False)
    usable = whole & ~flat & ~clipped & in_range

    beats = Beats(np.where(whole[:, None], beats_mv, 0), compared, r_index)
    thresholds = (settings.min_correlation, settings.max_qrs_difference, settings.amplitude)
    normal, ectopic = _normal_and_ectopic(beat_classes(beats, usable, *thresholds), before, after)
    quality, reason = np.zeros(len(beats_mv)), np.full(len(beats_mv), _UNLIKE)
    if normal:
        like = normal[0].likeness
        reason[(like.correlation >= settings.min_correlation) & ~_within(like.amplitude, settings.amplitude)] = _JUMP
    reason[(reason == _UNLIKE) & (before < _PREMATURE_BEAT)] = _ECTOPIC
    for of_class in ectopic:
        reason[of_class.members] = _ECTOPIC
    for of_class in normal:
        of, like = of_class.members, of_class.likeness
        reason[of] = -1
        quality[of] = like.correlation[of] * (1 - np.minimum(like.qrs_difference[of], 1))
    reason[~in_range] = _INTERVAL
    reason[clipped] = _CLIPPED
    reason[flat] = _FLAT
    reason[~whole] = _MISSING
    return Verdicts(quality, reason)


def _within(values: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    return (values >= bounds[0]) & (values <= bounds[1])


def _normal_and_ectopic(
    classes: list[BeatClass], before: np.ndarray, after: np.ndarray
) -> tuple[list[BeatClass], list[BeatClass]]:
    normal, ectopic = [], []
    for of_class in classes:
        early, late = np.median(before[of_class.members]), np.median(after[of_class.members])
        if early < _PREMATURE or late > _PAUSE:
            ectopic.append(of_class)
        elif not normal or (
            not ectopic
            and max(abs(early - 1), abs(late - 1)) <= _IN_STEP
            and np.corrcoef(normal[0].template_mv, of_class.template_mv)[0, 1] >= _RELATED
        ):
            normal.append(of_class)
    return normal, ectopic
