"""Which beats of an excerpt look alike: classes of one morphology, the commonest first."""

from dataclasses import dataclass

import numpy as np

_MOST_CLASSES = 3
_LEAST_SHARE = 0.1  # of the beats; fewer are no class
_FEWEST = 10
_SEEDS = 300  # beats among which a class is looked for
_ALIKE = 0.95  # correlation of the QRS complexes of two beats of one class
_REFINEMENTS = 3
_QRS_REACH = 10  # samples at 125 Hz on each side of the R peak: 80 ms
_MOST_SHIFT = 0.7  # samples; a peak found to the sample lies within half a sample of the true one


@dataclass(frozen=True)
class Likeness:
    """How alike each beat (n,) is to a template.

    correlation: over the samples compared; amplitude: times the template's;
    qrs_difference: root mean square of what is left of the QRS complex once the template is taken away, as a share of
    the template's.
    """

    correlation: np.ndarray
    amplitude: np.ndarray
    qrs_difference: np.ndarray


@dataclass(frozen=True)
class BeatClass:
    """Beats of one morphology: members (n,) bool, their template (samples,) in mV, and every beat's likeness to it."""

    members: np.ndarray
    template_mv: np.ndarray
    likeness: Likeness


class Beats:
    """Beats (n, samples) in mV with the R peak at `r_index`, of each of which the first `compared` (n,) samples count.

    Sums over the samples that count are made once and serve every template.
    """

    def __init__(self, beats_mv: np.ndarray, compared: np.ndarray, r_index: int):
        self.mv = beats_mv.astype(np.float64)
        self._counts = (np.arange(beats_mv.shape[1]) < compared[:, None]).astype(np.float64)
        self._counted = self.mv * self._counts
        self._n = self._counts.sum(axis=1)
        self._sum = self._counted.sum(axis=1)
        self._power = (self._counted * self.mv).sum(axis=1) - self._sum**2 / self._n
        self._qrs = slice(r_index - _QRS_REACH, r_index + _QRS_REACH + 1)
        qrs = self.mv[:, self._qrs]
        self.qrs_mv = qrs - qrs.mean(axis=1, keepdims=True)

    def likeness(self, template_mv: np.ndarray) -> Likeness:
        template_sum = self._counts @ template_mv
        power = self._counts @ template_mv**2 - template_sum**2 / self._n
        together = self._counted @ template_mv - self._sum * template_sum / self._n
        scale = np.sqrt(np.maximum(power * self._power, 0))
        return Likeness(
            correlation=np.divide(together, scale, out=np.zeros_like(together), where=scale > 0),
            amplitude=np.divide(together, power, out=np.zeros_like(together), where=power > 0),
            qrs_difference=self.qrs_difference(template_mv),
        )

    def qrs_difference(self, template_mv: np.ndarray) -> np.ndarray:
        """As in `Likeness`. A shift of the template by a part of a sample is no difference: its slope is fitted."""
        qrs = template_mv[self._qrs] - template_mv[self._qrs].mean()
        slope = np.gradient(template_mv)[self._qrs]
        slope -= slope.mean()
        power = qrs @ qrs
        if power == 0:
            return np.full(len(self.mv), np.inf)
        slope -= qrs * (slope @ qrs) / power
        rest = self.qrs_mv - qrs
        shift = np.clip(rest @ slope / max(slope @ slope, np.finfo(float).tiny), -_MOST_SHIFT, _MOST_SHIFT)
        return np.linalg.norm(rest - shift[:, None] * slope, axis=1) / np.sqrt(power)


def beat_classes(
    beats: Beats, usable: np.ndarray, min_correlation: float, max_qrs_difference: float, amplitude: tuple[float, float]
) -> list[BeatClass]:
    """At most three classes of the usable (n,) beats, each of at least a tenth of them, in the order of their size.

    A class begins with the beat that most others resemble; its template is the median of the beats whose QRS complex
    differs by less than half of `max_qrs_difference`, found in three steps. Members differ by less than the whole of
    it, correlate by at least `min_correlation`, and have an amplitude within `amplitude`.
    """
    classes, left = [], usable.copy()
    fewest = max(_FEWEST, _LEAST_SHARE * np.count_nonzero(usable))
    while len(classes) < _MOST_CLASSES and np.count_nonzero(left) >= fewest:
        template_mv = _commonest(beats, np.flatnonzero(left), max_qrs_difference / 2)
        likeness = beats.likeness(template_mv)
        members = left & (likeness.correlation >= min_correlation) & (likeness.qrs_difference < max_qrs_difference)
        members &= (likeness.amplitude >= amplitude[0]) & (likeness.amplitude <= amplitude[1])
        if np.count_nonzero(members) < fewest:
            break
        classes.append(BeatClass(members, template_mv, likeness))
        left &= ~members
    return classes


def _commonest(beats: Beats, among: np.ndarray, max_qrs_difference: float) -> np.ndarray:
    """The template of the commonest morphology among some beats (indices)."""
    seeds = among[:: -(-len(among) // _SEEDS)]
    qrs_mv = beats.qrs_mv[seeds]
    unit = qrs_mv / np.maximum(np.linalg.norm(qrs_mv, axis=1, keepdims=True), np.finfo(float).tiny)
    alike = unit @ unit.T >= _ALIKE
    template_mv = np.median(beats.mv[seeds[alike[alike.sum(axis=1).argmax()]]], axis=0)
    for _ in range(_REFINEMENTS):
        difference = beats.qrs_difference(template_mv)[seeds]
        enough = np.sort(difference)[min(_FEWEST, len(seeds)) - 1]
        template_mv = np.median(beats.mv[seeds[difference <= max(max_qrs_difference, enough)]], axis=0)
    return template_mv
