"""The subjects of a study and their rounds, from the tables of the cohort."""

from collections.abc import Sequence
from pathlib import Path

from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.paths import SubjectRounds, cached_by_mtime, split_into_batches, subject_name
from kalemia.core.tables import read_table
from kalemia.personal.arms import splits_of_arms


def read_candidates(path: str | Path) -> dict[str, str]:
    """Subject -> candidate population, from ``cohort/subjects.parquet``: everybody with draws to read."""
    return _column_by_subject(path, "subjects", "candidate_population")


def read_populations(path: str | Path) -> dict[str, str | None]:
    """Subject -> population, None for neither, from ``cohort/populations.parquet``."""
    return _column_by_subject(path, "populations", "population")


def read_rounds(study: Study, path: str | Path) -> list[SubjectRounds]:
    """The rounds of every arm and personal patient, from ``cohort/personal.parquet``."""
    splits = splits_of_arms(path, study.arms, study.personal, study.seed)
    return [SubjectRounds(arm, subject_name(subject), len(split.rounds)) for (arm, subject), split in splits.items()]


class SubjectIndex:
    """What rules look up for each job; each method takes the path of a table, and reads it again only if it changed."""

    def __init__(self, study: Study):
        self._study = study
        self.batches = cached_by_mtime(self._read_batches)
        self.populations = cached_by_mtime(read_populations)
        self.evaluable_rounds = cached_by_mtime(self._read_evaluable_rounds)
        self._batch_numbers = cached_by_mtime(self._read_batch_numbers)
        self._evaluable_arms = cached_by_mtime(self._read_evaluable_arms)

    def batch_number(self, path: str, subject: str) -> int:
        """The number of a subject's batch; raises `UserError` if no draw of the subject is read."""
        number = self._batch_numbers(path).get(subject)
        if number is None:
            raise UserError(f"{subject}: none of its draws is read ({path})")
        return number

    def evaluable_arms(self, path: str, subject: str) -> Sequence[SubjectRounds]:
        """The rounds of one patient in every arm in which the patient is evaluable."""
        return self._evaluable_arms(path).get(subject, ())

    @staticmethod
    def _read_batches(path: str) -> list[Sequence[str]]:
        return split_into_batches(list(read_candidates(path)))

    def _read_batch_numbers(self, path: str) -> dict[str, int]:
        return {subject: number for number, batch in enumerate(self.batches(path)) for subject in batch}

    def _read_evaluable_rounds(self, path: str) -> list[SubjectRounds]:
        return [row for row in read_rounds(self._study, path) if row.n_rounds]

    def _read_evaluable_arms(self, path: str) -> dict[str, list[SubjectRounds]]:
        arms: dict[str, list[SubjectRounds]] = {}
        for row in self.evaluable_rounds(path):
            arms.setdefault(row.subject, []).append(row)
        return arms


def _column_by_subject(path: str | Path, kind: str, column: str) -> dict[str, str | None]:
    table = read_table(path, kind, ["subject_id", column])
    names = map(subject_name, table["subject_id"].to_pylist())
    return dict(zip(names, table[column].to_pylist(), strict=True))
