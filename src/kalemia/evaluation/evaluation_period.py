"""The evaluation period of a patient in an arm: the part of the stay in which every draw counts, whatever its value."""

from datetime import datetime

import numpy as np

from kalemia.core.config import ROLLING
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.personal.episodes import Draw, episodes, labeled_in_time_order
from kalemia.personal.leakage import hours_between
from kalemia.personal.splits import parse_draws, parse_split, training_draws

_KINDS = {"n_positive": 1, "n_negative": 0, "n_neither": -1}


def draws_in_period(split: dict) -> set[int]:
    """The usable draws of a patient, labeled or not, that could have been test draws under the protocol of a split.

    forward: all draws from the first test draw on. rolling: all that a round predicts. Others: all draws of the patient
    except the training draws, draws within the purge of a training draw, and draws that the protocol keeps apart from
    training draws: the time span and the recording of their episodes, or their admission. The test draws always belong
    to the period.
    """
    draws, _ = parse_draws(split)
    learned = set(training_draws(split))
    test = set(split["test"])
    if split["protocol"] == ROLLING:
        return set(parse_split(split).predicted_by)
    if split["protocol"] == "forward":
        first = min(draw.time for draw in draws if draw.draw_id in test)
        return {draw.draw_id for draw in draws if draw.time >= first}
    trained_on = [draw for draw in draws if draw.draw_id in learned]
    kept = {
        draw.draw_id
        for draw in draws
        if min(hours_between(draw.time, other.time) for other in trained_on) >= split["purge_hours"]
        and not _is_kept_apart(split["protocol"], draw, trained_on, draws)
    }
    return (kept - learned) | test


def period_mask(trial: PatientArmScores, split: dict) -> np.ndarray:
    """Mask (n,) of the scored draws that belong to the evaluation period."""
    return np.isin(trial.draws.ids, sorted(draws_in_period(split)))


def period_row(trial: PatientArmScores, keep: np.ndarray) -> dict:
    """Numbers of draws of each kind, and of days, in the evaluation period of one patient."""
    draws = trial.draws.take(keep)
    counts = {name: int(np.sum(draws.labels == label)) for name, label in _KINDS.items()}
    days = len(np.unique(draws.days))
    return {"arm": trial.arm, "subject_id": trial.subject_id, "n_draws": len(draws), **counts, "patient_days": days}


def _is_kept_apart(protocol: str, draw: Draw, trained_on: list[Draw], draws: list[Draw]) -> bool:
    """Whether the protocol keeps a draw on the side of the training draws."""
    if protocol == "admission":
        return draw.admission in {other.admission for other in trained_on}
    if protocol != "episode":
        return False
    if draw.recording is not None and draw.recording in {other.recording for other in trained_on}:
        return True
    return any(first <= draw.time <= last for first, last in _episode_spans(trained_on, draws))


def _episode_spans(trained_on: list[Draw], draws: list[Draw]) -> list[tuple[datetime, datetime]]:
    """The first and last time of every episode with a training draw."""
    ids = {draw.draw_id for draw in trained_on}
    return [
        (run[0].time, run[-1].time)
        for run in episodes(labeled_in_time_order(draws))
        if ids & {draw.draw_id for draw in run}
    ]
