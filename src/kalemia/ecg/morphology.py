"""Group the beats of an excerpt into clusters of one morphology, the most common first."""

from dataclasses import dataclass

import numpy as np

_MAX_CLUSTERS = 3
_MIN_FRACTION = 0.1  # of the usable beats; fewer do not make a cluster
_MIN_BEATS = 10
_MAX_SEEDS = 300  # number of beats among which a first template is searched for
_MIN_SEED_CORRELATION = 0.95  # two QRS complexes that correlate this much have one morphology
_REFINEMENTS = 3
_QRS_HALF_WIDTH = 10  # samples at 125 Hz on each side of the R peak: 80 ms
_WIDEST_HALF_WIDTH = 24  # 192 ms
_MIN_STEEP_SHARE = 0.4  # of the slope power within 192 ms lies within 80 ms, unless the beats are as wide as sine waves
_MAX_MEDIAN_BEATS = 200  # are enough to tell
_MAX_SHIFT = 0.7  # samples; an R peak is located to the nearest sample, so the true one is within half a sample


@dataclass(frozen=True)
class TemplateMatch:
    """How well each of n beats matches a template; all arrays are (n,).

    correlation: Pearson correlation over the compared samples. amplitude_ratio: amplitude relative to the template.
    qrs_difference: root mean square of the QRS complex after subtracting the template, relative to the template's.
    """

    correlation: np.ndarray
    amplitude_ratio: np.ndarray
    qrs_difference: np.ndarray


@dataclass(frozen=True, eq=False)
class BeatCluster:
    """Beats of one morphology.

    members: (n,) bool. template_mv: (samples,). match: how well every beat, member or not, matches the template.
    """

    members: np.ndarray
    template_mv: np.ndarray
    match: TemplateMatch


class BeatMatrix:
    """Beats (n, samples) in mV with the R peak at `r_index`, prepared for comparison with templates.

    Of each beat only the first `n_compared` (n,) samples are compared. Sums over these samples are computed once and
    reused for every template. QRS complexes are compared over 80 ms on each side of the R peak, and over 192 ms where
    the beats are about as steep beyond, as sine waves are.
    """

    def __init__(self, beats_mv: np.ndarray, n_compared: np.ndarray, r_index: int):
        self._beats_mv = beats_mv
        self.mv = beats_mv.astype(np.float64)
        self._weights = (np.arange(beats_mv.shape[1]) < n_compared[:, None]).astype(np.float64)
        self._compared_mv = self.mv * self._weights
        self._n = self._weights.sum(axis=1)
        self._sum = self._compared_mv.sum(axis=1)
        self._power = (self._compared_mv * self.mv).sum(axis=1) - self._sum**2 / self._n
        half_width = _qrs_half_width(beats_mv, n_compared, r_index)
        self._qrs = slice(r_index - half_width, r_index + half_width + 1)
        qrs = self.mv[:, self._qrs]
        self.qrs_mv = qrs - qrs.mean(axis=1, keepdims=True)

    def median_mv(self, beats: np.ndarray) -> np.ndarray:
        """Median (samples,) of some beats (indices), in mV, float64."""
        return _median_beat(self._beats_mv[beats])

    def match_template(self, template_mv: np.ndarray) -> TemplateMatch:
        """Compare every beat with a template (samples,) in mV."""
        template_sum = self._weights @ template_mv
        power = self._weights @ template_mv**2 - template_sum**2 / self._n
        covariance = self._compared_mv @ template_mv - self._sum * template_sum / self._n
        scale = np.sqrt(np.maximum(power * self._power, 0))
        return TemplateMatch(
            correlation=np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0),
            amplitude_ratio=np.divide(covariance, power, out=np.zeros_like(covariance), where=power > 0),
            qrs_difference=self.qrs_difference(template_mv),
        )

    def qrs_difference(self, template_mv: np.ndarray) -> np.ndarray:
        """`TemplateMatch.qrs_difference` (n,) for a template (samples,) in mV.

        A shift by a fraction of a sample does not count as a difference: the template's slope is fitted and removed.
        """
        qrs = template_mv[self._qrs] - template_mv[self._qrs].mean()
        slope = np.gradient(template_mv)[self._qrs]
        slope -= slope.mean()
        power = qrs @ qrs
        if power == 0:
            return np.full(len(self.mv), np.inf)
        slope -= qrs * (slope @ qrs) / power
        residual = self.qrs_mv - qrs
        shift = np.clip(residual @ slope / max(slope @ slope, np.finfo(float).tiny), -_MAX_SHIFT, _MAX_SHIFT)
        return np.linalg.norm(residual - shift[:, None] * slope, axis=1) / np.sqrt(power)


def _median_beat(beats_mv: np.ndarray) -> np.ndarray:
    """`np.median` over beats (n, samples); half the time for float32, which is sorted in vector instructions."""
    ordered, n = np.sort(beats_mv, axis=0), len(beats_mv)
    return (ordered[(n - 1) // 2].astype(np.float64) + ordered[n // 2]) / 2


def _qrs_half_width(beats_mv: np.ndarray, n_compared: np.ndarray, r_index: int) -> int:
    """Samples on each side of the R peak over which the QRS complexes of beats (n, samples) are compared."""
    step = -(-len(beats_mv) // _MAX_MEDIAN_BEATS)
    widest = int(np.clip(np.median(n_compared) - r_index, _QRS_HALF_WIDTH, _WIDEST_HALF_WIDTH))
    around_mv = _median_beat(beats_mv[::step, r_index - widest : r_index + widest + 1])
    slope_power, beyond = np.square(np.diff(around_mv)), widest - _QRS_HALF_WIDTH
    near = slope_power[beyond : len(slope_power) - beyond]
    return _QRS_HALF_WIDTH if near.sum() >= _MIN_STEEP_SHARE * slope_power.sum() else widest


def cluster_beats(
    beats: BeatMatrix,
    usable: np.ndarray,
    min_correlation: float,
    max_qrs_difference: float,
    amplitude_range: tuple[float, float],
) -> list[BeatCluster]:
    """Find at most three clusters among the usable beats, (n,) bool, the most common first.

    Each cluster has at least a tenth of the usable beats and at least ten, or of fewer than twenty more than half, but
    three: ten seconds at a low heart rate have eight beats. A cluster starts from the beat that most
    others resemble; its template is the median of the beats whose QRS complex differs by less than half of
    `max_qrs_difference`, refined three times. Members differ by less than `max_qrs_difference`, correlate by at least
    `min_correlation`, and have an amplitude ratio within `amplitude_range`.
    """
    clusters, remaining = [], usable.copy()
    n_usable = int(np.count_nonzero(usable))
    min_members = max(3, min(_MIN_BEATS, n_usable // 2 + 1), _MIN_FRACTION * n_usable)
    while len(clusters) < _MAX_CLUSTERS and np.count_nonzero(remaining) >= min_members:
        template_mv = _most_common_template(beats, np.flatnonzero(remaining), max_qrs_difference / 2)
        match = beats.match_template(template_mv)
        members = remaining & (match.correlation >= min_correlation) & (match.qrs_difference < max_qrs_difference)
        members &= (match.amplitude_ratio >= amplitude_range[0]) & (match.amplitude_ratio <= amplitude_range[1])
        if np.count_nonzero(members) < min_members:
            break
        clusters.append(BeatCluster(members, template_mv, match))
        remaining &= ~members
    return clusters


def _most_common_template(beats: BeatMatrix, candidates: np.ndarray, max_qrs_difference: float) -> np.ndarray:
    """The template (samples,) of the most common morphology among some beats (indices)."""
    seeds = candidates[:: -(-len(candidates) // _MAX_SEEDS)]
    qrs_mv = beats.qrs_mv[seeds]
    unit = qrs_mv / np.maximum(np.linalg.norm(qrs_mv, axis=1, keepdims=True), np.finfo(float).tiny)
    alike = unit @ unit.T >= _MIN_SEED_CORRELATION
    template_mv = beats.median_mv(seeds[alike[alike.sum(axis=1).argmax()]])
    for _ in range(_REFINEMENTS):
        difference = beats.qrs_difference(template_mv)[seeds]
        tenth_smallest = np.sort(difference)[min(_MIN_BEATS, len(seeds)) - 1]
        template_mv = beats.median_mv(seeds[difference <= max(max_qrs_difference, tenth_smallest)])
    return template_mv
