"""The test period of a patient in an arm: the stretch of the stay in which every draw counts, whatever its value."""

from datetime import datetime

import numpy as np

from kalemia.evaluation.patient_scores import Trial
from kalemia.personal.episodes import Draw, episodes, labeled_in_time_order
from kalemia.personal.leakage import hours_between
from kalemia.personal.splits import parse_draws, training_draws

_KINDS = {"n_positive": 1, "n_negative": 0, "n_neither": -1}


def draws_of_period(split: dict) -> set[int]:
    """The usable draws of a patient, labeled or not, that could have been tested under the protocol of a split.

    forward: all from the first test draw on. Others: all that the patient has, but the draws learned from, those within
    the purge of one, and what the protocol keeps apart from them: the stretch and the recording of an episode
    learned from, or the admission. The test draws always belong to it.
    """
    draws, _ = parse_draws(split)
    learned = set(training_draws(split))
    test = set(split["test"])
    if split["protocol"] == "forward":
        first = min(draw.time for draw in draws if draw.draw_id in test)
        return {draw.draw_id for draw in draws if draw.time >= first}
    taught = [draw for draw in draws if draw.draw_id in learned]
    kept = {
        draw.draw_id
        for draw in draws
        if min(hours_between(draw.time, other.time) for other in taught) >= split["purge_hours"]
        and not _kept_apart(split["protocol"], draw, taught, draws)
    }
    return (kept - learned) | test


def in_period(trial: Trial, split: dict) -> np.ndarray:
    """Which scored draws (n,) of a trial belong to its test period."""
    return np.isin(trial.draws.ids, sorted(draws_of_period(split)))


def period_row(trial: Trial, keep: np.ndarray) -> dict:
    """Of one patient's test period, how many draws of which kind on how many days."""
    draws = trial.draws.take(keep)
    counts = {name: int(np.sum(draws.labels == label)) for name, label in _KINDS.items()}
    days = len(np.unique(draws.days))
    return {"arm": trial.arm, "subject_id": trial.subject_id, "n_draws": len(draws), **counts, "patient_days": days}


def _kept_apart(protocol: str, draw: Draw, taught: list[Draw], draws: list[Draw]) -> bool:
    """Whether the protocol has a draw on the side of those learned from."""
    if protocol == "admission":
        return draw.admission in {other.admission for other in taught}
    if protocol != "episode":
        return False
    if draw.recording is not None and draw.recording in {other.recording for other in taught}:
        return True
    return any(first <= draw.time <= last for first, last in _stretches(taught, draws))


def _stretches(taught: list[Draw], draws: list[Draw]) -> list[tuple[datetime, datetime]]:
    """The first and last moment of every episode that holds a draw learned from."""
    ids = {draw.draw_id for draw in taught}
    return [
        (run[0].time, run[-1].time)
        for run in episodes(labeled_in_time_order(draws))
        if ids & {draw.draw_id for draw in run}
    ]
