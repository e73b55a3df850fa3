"""Tell ectopic beats from normal ones by when they come."""

import numpy as np
from scipy.ndimage import percentile_filter

from kalemia.core.schemas import RATE_HZ
from kalemia.ecg.morphology import BeatCluster

_N_NEIGHBORS = 8  # pairs of intervals on each side that an interval is compared with
_PERCENTILE = 60
# RR intervals relative to the usual interval; those of a cluster also relative to those of all beats
_RATIO_RANGE = (0.5, 1.5)  # counted as this at most, so that a missed beat does not decide about a cluster
_MIN_BEFORE = 0.9  # a cluster whose beats come earlier on average is ectopic
_MAX_AFTER = 1.15  # so is a cluster whose beats are followed by longer intervals
_MAX_DEVIATION = 0.03  # a further cluster is normal only if its median intervals are this close to 1
_MIN_CORRELATION = 0.7  # and if its template correlates this much with that of the first normal cluster
_ONSET_REACH = 20  # samples from the mark: 160 ms
_ONSET_STEEPNESS = 0.25  # of the steepest slope; where the slope first reaches this, the QRS complex begins
_MIN_ALTERNATION = 0.8  # of the beats of two clusters have neighbors of the other cluster: they alternate
_MIN_EARLIER = 0.8  # of the beats of an alternating cluster come earlier than the next: that cluster is ectopic


def usual_rr_ms(rr_ms: np.ndarray) -> np.ndarray:
    """The usual interval around each of the intervals (n,) in ms, from the means of neighboring two.

    The median of single intervals would follow one of two alternating intervals, and bigeminy would look regular; that
    of means would follow early beats that come in threes. So it is the 60th percentile of the means.
    """
    if len(rr_ms) < 2:
        return rr_ms.copy()
    of_pairs = percentile_filter((rr_ms[1:] + rr_ms[:-1]) / 2, _PERCENTILE, 2 * _N_NEIGHBORS + 1, mode="mirror")
    return np.append(of_pairs, of_pairs[-1])


def fill_unknown(rr_ms: np.ndarray) -> np.ndarray:
    """Intervals (n,) in ms, those that are NaN between or beside known ones replaced by what the known ones suggest."""
    known = np.flatnonzero(np.isfinite(rr_ms))
    return np.interp(np.arange(len(rr_ms)), known, rr_ms[known]) if len(known) else rr_ms


def sort_clusters(
    clusters: list[BeatCluster], rr_ms: np.ndarray, r_index: int, max_qrs_difference: float
) -> tuple[list[BeatCluster], list[BeatCluster]]:
    """The normal and the ectopic clusters among those of an excerpt, the most common first; others are neither.

    rr_ms: (n - 1,) intervals from each of the n beats, marked at `r_index`, to the next. They are taken from onset to
    onset, because another wave may be marked in ectopic beats. A cluster is ectopic, however common, if its beats
    come early or are followed by a pause, and no cluster that is on time has the same QRS complexes: beats that differ
    in their T wave only (after the pauses of AV block, or in electrical alternans) come from one source. The first of
    the others is normal, and so are those with its QRS complexes. A further cluster (an intermittent bundle branch
    block or pre-excitation) is normal if it keeps step and its template resembles the first, unless there are ectopic
    beats, because an intermediate shape is then likely a fusion beat. A wide QRS complex alone makes no beat ectopic:
    in hyperkalemia and in escape rhythms all of them are wide.
    """
    if not clusters:
        return [], []
    rr_ms = rr_ms + np.diff(_onsets_ms(clusters, len(rr_ms) + 1, r_index))
    ratio = rr_ms / usual_rr_ms(rr_ms)
    before, after = np.append(np.nan, ratio), np.append(ratio, np.nan)
    early = [
        cluster
        for cluster in clusters
        if _comes_early(cluster, ratio)
        or any(_alternates_early(cluster, other, rr_ms, max_qrs_difference) for other in clusters)
    ]
    on_time = [cluster for cluster in clusters if cluster not in early]
    normal, ectopic = [], []
    for cluster in clusters:
        if cluster in early and not any(_has_same_qrs(cluster, other, max_qrs_difference) for other in on_time):
            ectopic.append(cluster)
            continue
        keeps_step = not ectopic and _keeps_step(before[cluster.members], after[cluster.members])
        if (
            not normal
            or _has_same_qrs(cluster, normal[0], max_qrs_difference)
            or (keeps_step and _resembles(cluster, normal[0]))
        ):
            normal.append(cluster)
    return normal, ectopic


def _onsets_ms(clusters: list[BeatCluster], n_beats: int, r_index: int) -> np.ndarray:
    """From the mark of each of n beats to the onset of its QRS complex, (n,), as in its cluster or else the first."""
    onsets_ms = []
    for cluster in clusters:
        slope = np.abs(np.diff(cluster.template_mv[r_index - _ONSET_REACH : r_index + _ONSET_REACH + 1]))
        onsets_ms.append((int(np.argmax(slope > _ONSET_STEEPNESS * slope.max())) - _ONSET_REACH) * 1000 / RATE_HZ)
    of_beats_ms = np.full(n_beats, onsets_ms[0])
    for cluster, onset_ms in zip(clusters, onsets_ms, strict=True):
        of_beats_ms[cluster.members] = onset_ms
    return of_beats_ms


def _comes_early(cluster: BeatCluster, ratio: np.ndarray) -> bool:
    """Whether a cluster's beats come early or are followed by a pause, for ratios (n - 1,) to the usual interval."""
    ratio = np.clip(ratio, *_RATIO_RANGE)
    before, after = (ratio[of].mean() / ratio.mean() for of in (cluster.members[1:], cluster.members[:-1]))
    return before < _MIN_BEFORE or after > _MAX_AFTER


def _alternates_early(cluster: BeatCluster, other: BeatCluster, rr_ms: np.ndarray, max_qrs_difference: float) -> bool:
    """Whether two clusters with different QRS complexes take turns, and this one's beats come before their time.

    That is bigeminy with late extrasystoles, each only a little before its time.
    """
    if other is cluster or _has_same_qrs(cluster, other, max_qrs_difference):
        return False
    inner = np.flatnonzero(cluster.members[1:-1]) + 1
    between_others = other.members[inner - 1] & other.members[inner + 1]
    of_other = np.flatnonzero(other.members[1:-1]) + 1
    others_between = cluster.members[of_other - 1] & cluster.members[of_other + 1]
    if min(between_others.mean(), others_between.mean()) < _MIN_ALTERNATION:
        return False
    return float(np.mean(rr_ms[inner - 1] < rr_ms[inner])) >= _MIN_EARLIER


def _has_same_qrs(cluster: BeatCluster, other: BeatCluster, max_qrs_difference: float) -> bool:
    return np.median(other.match.qrs_difference[cluster.members]) < max_qrs_difference


def _keeps_step(before: np.ndarray, after: np.ndarray) -> bool:
    return max(abs(np.median(before) - 1), abs(np.median(after) - 1)) <= _MAX_DEVIATION


def _resembles(cluster: BeatCluster, other: BeatCluster) -> bool:
    return np.corrcoef(other.template_mv, cluster.template_mv)[0, 1] >= _MIN_CORRELATION
