"""The scores and decisions of one patient's draws in one arm, round by round, from prediction files."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.errors import UserError
from kalemia.core.paths import round_of_path
from kalemia.core.tables import read_table
from kalemia.stats.draw_metrics import best_threshold, draw_decisions

DECISION_RULES = ("vote", "mean_logit", "threshold")  # threshold: on the mean logit, fixed on training draws


@dataclass(frozen=True)
class ScoredDraws:
    """Draws (n,) of a patient in the order of time, and their scores after each round from 0 on.

    labels: 1 positive, 0 negative, -1 neither. values: of the laboratory. days: the calendar day of each. logit and
    probability: (rounds, n); decisions: by decision rule, int8 (rounds, n).
    """

    ids: np.ndarray
    labels: np.ndarray
    values: np.ndarray
    days: np.ndarray
    logit: np.ndarray
    probability: np.ndarray
    decisions: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, keep: np.ndarray) -> "ScoredDraws":
        """The draws that a mask (n,) selects."""
        decisions = {name: said[:, keep] for name, said in self.decisions.items()}
        of_draws, of_rounds = (self.ids, self.labels, self.values, self.days), (self.logit, self.probability)
        return ScoredDraws(*(one[keep] for one in of_draws), *(one[:, keep] for one in of_rounds), decisions)


@dataclass(frozen=True)
class PatientArmScores:
    """All scored draws of a patient in an arm; is_test (n,) marks the test draws."""

    arm: str
    subject_id: int
    draws: ScoredDraws
    is_test: np.ndarray

    @cached_property
    def test(self) -> ScoredDraws:
        """The labeled test draws."""
        return self.draws.take(self.is_test)

    @property
    def last(self) -> int:
        """The number of the last round."""
        return len(self.draws.logit) - 1


def read_patient_scores(prediction_paths: Iterable[str | Path], generic_path: str | Path) -> list[PatientArmScores]:
    """The patients of every arm, in the order of arm and id, from the predictions of their rounds.

    The threshold of a round is `best_threshold` on the training draws so far, as the network of that round scores them;
    that of round 0 is `best_threshold` on the training draws of the generic network (`generic_path`). Raises
    `UserError` if a round is missing or scores other draws than round 0.
    """
    tables: dict[tuple[str, int], dict[int, tuple[str | Path, pa.Table]]] = {}
    for path in prediction_paths:
        place = round_of_path(path)
        of_patient = tables.setdefault((place["arm"], place["subject_id"]), {})
        of_patient[place["round"]] = path, read_table(path, "predictions")
    generic = training_threshold(read_table(generic_path, "predictions"))
    return [_trial(arm, subject, rounds, generic) for (arm, subject), rounds in sorted(tables.items())]


def training_threshold(predictions: pa.Table) -> float:
    """`best_threshold` on the mean logits of the training draws; NaN if one of the classes is missing."""
    train = predictions.filter(pc.equal(predictions["role"], "train"))
    labels = train["label"].to_numpy(zero_copy_only=False)
    if set(labels) != {0, 1}:
        return float("nan")
    return best_threshold(train["logit"].to_numpy(), labels)


def _trial(arm: str, subject: int, rounds: dict[int, tuple[str | Path, pa.Table]], generic: float) -> PatientArmScores:
    (path, first), ids = next(iter(rounds.values())), None
    logit, probability, said = [], [], {name: [] for name in DECISION_RULES}
    for round_ in range(max(rounds) + 1):
        if round_ not in rounds:
            raise UserError(f"{path}: round {round_} of the same patient and arm is missing; run again")
        path, table = rounds[round_]
        ids = table["draw_id"] if ids is None else ids
        if not table["draw_id"].equals(ids):
            raise UserError(f"{path}: scores other draws than round 0; delete it and run again")
        votes, n_beats, mean = (table[name].to_numpy() for name in ("votes", "n_beats", "logit"))
        threshold = training_threshold(table) if round_ else generic
        logit.append(mean)
        probability.append(table["probability"].to_numpy())
        for name in ("vote", "mean_logit"):
            said[name].append(draw_decisions(votes, n_beats, mean, name))
        said["threshold"].append((mean > (0.0 if np.isnan(threshold) else threshold)).astype(np.int8))
    labels = first["label"].fill_null(-1).to_numpy()
    is_test = pc.equal(first["role"], "test").to_numpy() & (labels >= 0)
    days = first["draw_time"].to_numpy().astype("datetime64[D]")
    decisions = {name: np.array(rows) for name, rows in said.items()}
    values = first["value"].to_numpy()
    draws = ScoredDraws(ids.to_numpy(), labels, values, days, np.array(logit), np.array(probability), decisions)
    return PatientArmScores(arm, subject, draws, is_test)
