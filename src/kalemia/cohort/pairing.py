"""Pair draws with the nearest of many short recordings, each with the nearest draw, before or after it."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np

from kalemia.cohort.matching import Match
from kalemia.sources import Recording

_MINUTE = np.timedelta64(60_000_000, "us")


def nearest_draws(recordings: np.ndarray, draws: np.ndarray, hours: float) -> np.ndarray:
    """For each recording the place of the nearest draw, the earlier one of two; -1 if none is within `hours`: int (n,).

    recordings (n,), draws (m,): times, datetime64[us], of one person.
    """
    if not len(draws):
        return np.full(len(recordings), -1)
    order = np.argsort(draws, kind="stable")
    after = np.searchsorted(draws[order], recordings)
    candidates = np.stack([order[np.clip(after - 1, 0, None)], order[np.clip(after, None, len(draws) - 1)]])
    distance = np.abs(draws[candidates] - recordings)
    nearest = np.where(distance[0] <= distance[1], candidates[0], candidates[1])
    within = distance.min(axis=0) <= np.timedelta64(round(hours * 3_600e6), "us")
    return np.where(within, nearest, -1)


def pair_draws(times: Iterable[datetime], recordings: list[Recording], hours: float) -> list[Match | None]:
    """For each draw of one subject the whole of the nearest recording whose nearest draw it is, or None.

    Of several equally near recordings it is the first; no recording serves two draws.
    """
    recordings = sorted(recordings, key=lambda recording: (recording.start, recording.name))
    drawn, started = (np.array(list(of), "datetime64[us]") for of in (times, [one.start for one in recordings]))
    pairs: list[Match | None] = [None] * len(drawn)
    for recording, start, draw in zip(recordings, started, nearest_draws(started, drawn, hours).tolist(), strict=True):
        if draw < 0:
            continue
        minutes, known = float((drawn[draw] - start) / _MINUTE), pairs[draw]
        if known is None or abs(minutes) < abs(known.minutes):
            pairs[draw] = Match(recording.name, 0, recording.n_samples, minutes)
    return pairs
