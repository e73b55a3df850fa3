"""The effective number of test draws of a patient, given that draws of one episode are correlated."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kalemia.core.tables import nan_to_none, write_evaluation_table
from kalemia.evaluation.patient_scores import PatientArmScores
from kalemia.personal.episodes import labeled_in_time_order, run_numbers
from kalemia.personal.splits import parse_draws, read_split
from kalemia.stats.tests_and_intervals import effective_sample_size, intraclass_correlation


@dataclass(frozen=True)
class Episodes:
    """The episodes of a patient's test draws: the number of each draw's (n,), and the correlation within one.

    The correlation is one for all patients of an arm, because no single patient has enough draws; NaN if unknown.
    """

    of_draw: np.ndarray
    correlation: float

    def effective_draws(self, among: np.ndarray) -> float:
        """The number of independent draws that those of a mask (n,) are worth."""
        sizes = np.unique(self.of_draw[among], return_counts=True)[1]
        return effective_sample_size(sizes.tolist(), self.correlation)


def read_episodes(
    trials: list[PatientArmScores], split_paths: Sequence[str | Path], arms: Sequence[str]
) -> dict[tuple[str, int], Episodes]:
    """The episodes of the test draws by arm and patient, from the files of splits."""
    run_of = {}
    for split in map(read_split, split_paths):
        labeled = labeled_in_time_order(parse_draws(split)[0])
        ids = (draw.draw_id for draw in labeled)
        run_of[split["arm"], split["subject_id"]] = dict(zip(ids, run_numbers(labeled), strict=True))
    return {
        key: found for arm in arms for key, found in find_episodes([t for t in trials if t.arm == arm], run_of).items()
    }


def find_episodes(
    trials: list[PatientArmScores], run_of: dict[tuple[str, int], dict[int, int]]
) -> dict[tuple[str, int], Episodes]:
    """Those of one arm; run_of: by arm and patient the episode of each labeled draw.

    The correlation within episodes is that of mean logits after the last round, in units of the patient's own SD
    within a class.
    """
    episodes = [[run_of[t.arm, t.subject_id][draw] for draw in t.test.ids.tolist()] for t in trials]
    groups = [f"{t.subject_id} {run}" for t, of in zip(trials, episodes, strict=True) for run in of]
    strata = [f"{t.subject_id} {label}" for t in trials for label in t.test.labels]
    scores = np.concatenate([standardized_scores(t) for t in trials]) if trials else np.empty(0)
    correlation = intraclass_correlation(scores, np.array(groups), np.array(strata)) if trials else float("nan")
    return {
        (trial.arm, trial.subject_id): Episodes(np.array(of), correlation)
        for trial, of in zip(trials, episodes, strict=True)
    }


def write_effective_sample_size(episodes: dict[tuple[str, int], Episodes], folder: str | Path, digest: str) -> None:
    """Write the number of test draws, episodes and effective draws of every patient in every arm."""
    write_evaluation_table(folder, "effective_sample_size", effective_sample_size_rows(episodes), digest)


def effective_sample_size_rows(episodes: dict[tuple[str, int], Episodes]) -> list[dict]:
    """A row for each patient and arm."""
    return [
        nan_to_none(
            {
                "arm": arm,
                "subject_id": subject,
                "n_test": len(mine.of_draw),
                "episodes": len(np.unique(mine.of_draw)),
                "correlation": mine.correlation,
                "effective_draws": mine.effective_draws(np.ones(len(mine.of_draw), bool)),
            }
        )
        for (arm, subject), mine in episodes.items()
    ]


def standardized_scores(trial: PatientArmScores) -> np.ndarray:
    """Mean logits (n,) of the test draws after the last round, centered within their class and scaled to SD 1."""
    logit, labels = trial.test.logit[-1], trial.test.labels
    centered = logit.copy()
    for label in (0, 1):
        if np.any(labels == label):
            centered[labels == label] -= logit[labels == label].mean()
    spread = centered.std()
    return centered / spread if spread > 0 else centered
