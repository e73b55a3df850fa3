"""Test draws by how near in time the nearest training draw is."""

from itertools import pairwise

import numpy as np

DISTANCE_EDGES_HOURS = (0.0, 6.0, 12.0, 24.0, 48.0, np.inf)


def by_distance(rows: list[dict], name: str) -> list[tuple[int, int, float]]:
    """(place, number of draws, mean of `name`) in each of the bins of hours to training."""
    hours = np.array([row["hours_to_training"] for row in rows])
    values = np.array([row[name] for row in rows])
    which = np.searchsorted(DISTANCE_EDGES_HOURS, hours, side="right") - 1
    return [
        (place, int(np.sum(which == place)), float(values[which == place].mean()) if np.any(which == place) else np.nan)
        for place in range(len(DISTANCE_EDGES_HOURS) - 1)
    ]


def distance_names() -> list[str]:
    """What the bins of hours are called."""
    edges = DISTANCE_EDGES_HOURS
    return [f"{low:g}\N{EN DASH}{high:g}" if np.isfinite(high) else f"{low:g}+" for low, high in pairwise(edges)]
