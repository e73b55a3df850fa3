"""Episodes of a monitor, alerts and alarms: when each begins and ends, with hysteresis."""

from dataclasses import dataclass

import numpy as np

BEGINS_AFTER = 2  # windows in a row that are high
RELEASE_S = 600.0  # an episode ends when all answers of so long were low: of the length of a window
LOST_S = 3600.0  # and when there has been no answer for so long


@dataclass(frozen=True)
class Episode:
    """From `onset_s` to `end_s` in seconds since the start of the recording; `end_s` is None while it lasts.

    first, last: the windows (indices) at which it begins, and the last one with an answer before it ends.
    """

    onset_s: float
    end_s: float | None
    first: int
    last: int


def find_episodes(stop_s: np.ndarray, is_high: np.ndarray, is_low: np.ndarray, answers: np.ndarray) -> list[Episode]:
    """The episodes among windows that end at `stop_s` (n,), ascending, as somebody who watches would have seen them.

    is_high, is_low, answers: (n,) bool, whether a window is high enough to begin an episode, low enough to end one, and
    has an answer at all. An episode begins with the second answer in a row that is high, and ends after ten minutes in
    which every answer was low. Windows without an answer change nothing, until there has been none for an hour.

    >>> minutes = np.arange(10, 40)
    >>> high = (minutes >= 15) & (minutes < 20)
    >>> find_episodes(60.0 * minutes, high, ~high, answers=minutes > 0)
    [Episode(onset_s=960.0, end_s=1740.0, first=6, last=19)]
    """
    answered = np.flatnonzero(answers)
    lost = np.flatnonzero(np.diff(stop_s[answered]) > LOST_S) + 1
    episodes: list[Episode] = []
    for run in np.split(answered, lost):
        episodes += _episodes_of_run(run, stop_s, is_high, is_low)
    return episodes


def _episodes_of_run(run: np.ndarray, stop_s: np.ndarray, is_high: np.ndarray, is_low: np.ndarray) -> list[Episode]:
    """The episodes among some windows (indices) without an hour between them."""
    episodes: list[Episode] = []
    n_high, begun, last_high_s = 0, None, 0.0
    for i in run.tolist():
        n_high = n_high + 1 if is_high[i] else 0
        if begun is None and n_high == BEGINS_AFTER:
            begun = i
        if not is_low[i]:
            last_high_s = stop_s[i]
        if begun is not None and stop_s[i] - last_high_s >= RELEASE_S:
            episodes.append(Episode(float(stop_s[begun]), float(stop_s[i]), begun, i))
            n_high, begun = 0, None
    if begun is not None:
        lost_s = float(stop_s[run[-1]]) + LOST_S
        episodes.append(Episode(float(stop_s[begun]), lost_s if stop_s[-1] > lost_s else None, begun, int(run[-1])))
    return episodes
