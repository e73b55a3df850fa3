"""What scores without a network see of a draw: its mean beat, and the measures of its median beat."""

import numpy as np

from kalemia.ecg.beat_measurements import measure_beats


def summarize_beats(
    ids: np.ndarray, draw_ids: np.ndarray, beats_mv: np.ndarray, rr_ms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean beat (draws, 60), in mV, and the measures (draws, 6) of the median beat of the draws `ids`.

    draw_ids, beats_mv, rr_ms: of every beat its draw, its samples (beats, 120) and the interval after it.
    """
    places = [np.flatnonzero(draw_ids == draw) for draw in ids]
    median_mv = np.array([np.median(beats_mv[mine], axis=0) for mine in places]).reshape(len(ids), -1)
    mean_mv = np.array([beats_mv[mine].mean(axis=0, dtype=np.float64) for mine in places])
    measures = measure_beats(median_mv, np.array([np.nanmedian(rr_ms[mine]) for mine in places]))
    return mean_mv.reshape(len(ids), -1, 2).mean(axis=2), measures
