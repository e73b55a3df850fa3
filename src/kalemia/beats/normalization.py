"""Normalize beats to mean 0 and SD 1 over the beat, its draw, or its subject's draws so far."""

import numpy as np

MIN_SD_MV = 1e-3  # a flatter beat is not scaled up further


def normalize_beats(beats_mv: np.ndarray, draw_ids: np.ndarray, draw_times: np.ndarray, scope: str) -> np.ndarray:
    """Normalize the beats of one subject, (n, 120) float32 in mV, to SDs around the mean: float32 (n, 120).

    draw_ids, draw_times: (n,), of every beat. Mean and SD are over the samples of `scope`: "beat", the beat itself;
    "draw", all beats of its draw; "subject", all beats of the subject's draws up to this one, so that later draws,
    which may be test draws, do not affect the scale; "none" returns the beats unchanged.
    """
    if scope == "none" or not len(beats_mv):
        return beats_mv
    exact_mv = beats_mv.astype(np.float64)
    n_samples = np.full(len(beats_mv), beats_mv.shape[1])
    sums = np.stack([n_samples, exact_mv.sum(axis=1), np.square(exact_mv).sum(axis=1)])
    if scope != "beat":
        _, first, draw = np.unique(draw_ids, return_index=True, return_inverse=True)
        sums = np.stack([np.bincount(draw, weights=row) for row in sums])
        if scope == "subject":
            by_time = np.lexsort((draw_ids[first], draw_times[first]))
            sums[:, by_time] = np.cumsum(sums[:, by_time], axis=1)
        sums = sums[:, draw]
    n, total, squares = sums
    mean_mv = total / n
    sd_mv = np.sqrt(np.maximum(squares / n - np.square(mean_mv), MIN_SD_MV**2))
    return ((exact_mv - mean_mv[:, None]) / sd_mv[:, None]).astype(np.float32)
