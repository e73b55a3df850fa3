"""Beats to mean 0 and SD 1, over the beat itself, its draw, or all that is known of its subject by then."""

import numpy as np

MIN_SD_MV = 1e-3  # a flatter line than this is no beat, and is not blown up to look like one


def normalize_beats(beats_mv: np.ndarray, draw_ids: np.ndarray, draw_times: np.ndarray, scope: str) -> np.ndarray:
    """The beats of one subject, (n, 120) float32 in mV, in SDs around the mean; unchanged for `over` "none".

    beat: of the beat's own samples. draw: of all samples of the draw's beats. subject: of all samples of the subject's
    draws up to this one, so that nothing later than a draw, which could be a test draw, says how it is scaled.
    draw_ids and draw_times are of every beat, (n,).
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
