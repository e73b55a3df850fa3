"""Normalize beats to mean 0 and SD 1 over the beat, its draw, or its subject's draws so far."""

from dataclasses import astuple, dataclass

import numpy as np

MIN_SD_MV = 1e-3  # a flatter beat is not scaled up further


@dataclass(frozen=True)
class BeatSums:
    """The number of samples of some beats, and the sums of the samples in mV and of their squares."""

    n: float = 0.0
    total_mv: float = 0.0
    squares_mv2: float = 0.0


NO_BEATS = BeatSums()


def normalize_beats(
    beats_mv: np.ndarray, draw_ids: np.ndarray, draw_times: np.ndarray, scope: str, before: BeatSums = NO_BEATS
) -> np.ndarray:
    """Normalize the beats of one subject, (n, 120) float32 in mV, to SDs around the mean: float32 (n, 120).

    draw_ids, draw_times: (n,), of every beat. Mean and SD are over the samples of `scope`: "beat", the beat itself;
    "draw", all beats of its draw; "subject", all beats of the subject's draws up to this one, so that later draws,
    which may be test draws, do not affect the scale; "none" returns the beats unchanged. before: the sums of the
    subject's draws before these, for scope "subject".
    """
    if scope == "none" or not len(beats_mv):
        return beats_mv
    exact_mv = beats_mv.astype(np.float64)
    sums = _sums_of_beats(exact_mv)
    if scope != "beat":
        draws = _Draws(draw_ids, draw_times)
        sums = draws.running_sums(sums, before) if scope == "subject" else draws.sums(sums)
        sums = sums[:, draws.draw]
    n, total, squares = sums
    mean_mv = total / n
    sd_mv = np.sqrt(np.maximum(squares / n - np.square(mean_mv), MIN_SD_MV**2))
    return ((exact_mv - mean_mv[:, None]) / sd_mv[:, None]).astype(np.float32)


def sums_after(
    beats_mv: np.ndarray, draw_ids: np.ndarray, draw_times: np.ndarray, before: BeatSums = NO_BEATS
) -> BeatSums:
    """The `before` that holds after the draws of some beats; arguments as for `normalize_beats`."""
    if not len(beats_mv):
        return before
    draws = _Draws(draw_ids, draw_times)
    running = draws.running_sums(_sums_of_beats(beats_mv.astype(np.float64)), before)
    return BeatSums(*running[:, draws.by_time[-1]].tolist())


class _Draws:
    """The draws of some beats: `draw` (n,), the index of each beat's, and `by_time`, the indices in order of time."""

    def __init__(self, draw_ids: np.ndarray, draw_times: np.ndarray):
        _, first, self.draw = np.unique(draw_ids, return_index=True, return_inverse=True)
        self.by_time = np.lexsort((draw_ids[first], draw_times[first]))

    def sums(self, of_beats: np.ndarray) -> np.ndarray:
        """Rows of sums over beats (3, n), over each draw: (3, draws)."""
        return np.stack([np.bincount(self.draw, weights=row) for row in of_beats])

    def running_sums(self, of_beats: np.ndarray, before: BeatSums) -> np.ndarray:
        """As `sums`, over each draw and all before it."""
        sums = self.sums(of_beats)
        sums[:, self.by_time[0]] += astuple(before)
        sums[:, self.by_time] = np.cumsum(sums[:, self.by_time], axis=1)
        return sums


def _sums_of_beats(beats_mv: np.ndarray) -> np.ndarray:
    """The number of samples of each beat, their sum and the sum of their squares: float64 (3, n)."""
    n_samples = np.full(len(beats_mv), beats_mv.shape[1])
    return np.stack([n_samples, beats_mv.sum(axis=1), np.square(beats_mv).sum(axis=1)])
