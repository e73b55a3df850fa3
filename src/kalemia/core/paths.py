"""Names of subjects and paths of results, as the rules, `kalemia status` and `kalemia report` share them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from kalemia.core.config import Arm
from kalemia.core.schemas import EXPLANATION

SUBJECTS_PER_BATCH = 10
_T = TypeVar("_T")


class SubjectRounds(NamedTuple):
    """The number of rounds that one patient's draws allow in one arm; 0 if the patient is not evaluable in it."""

    arm: str
    subject: str
    n_rounds: int


def subject_name(subject_id: int) -> str:
    """The name of a subject in paths and on pages: ``p010059`` for 10059, ``p10000032`` for 10000032."""
    return f"p{subject_id:06d}"


def subject_id(name: str) -> int:
    """The inverse of `subject_name`."""
    return int(name[1:])


def round_of_path(path: str | Path) -> dict[str, str | int]:
    """Arm, subject and round of a file in ``{arm}/{subject}/round-{k}/``."""
    arm, subject, round_ = Path(path).parts[-4:-1]
    return {"arm": arm, "subject_id": subject_id(subject), "round": int(round_.removeprefix("round-"))}


def split_into_batches(subjects: Sequence[str]) -> list[Sequence[str]]:
    """Batches of neighbors in the cohort; the number of a batch is its index in this list."""
    return [subjects[at : at + SUBJECTS_PER_BATCH] for at in range(0, len(subjects), SUBJECTS_PER_BATCH)]


def cached_by_mtime(function: Callable[[str], _T]) -> Callable[[str], _T]:
    """Call a function of a file's path again only after the file has changed."""

    @cache
    def call(path: str, mtime_ns: int) -> _T:
        return function(path)

    return lambda path: call(path, os.stat(path).st_mtime_ns)


@dataclass(frozen=True)
class ResultPaths:
    """The paths of files in a results folder; called with a relative path, it prepends the folder.

    `rounds` in the methods below are those of the evaluable patients: every `SubjectRounds` has at least one round.
    """

    results: str | Path

    def __call__(self, path: str) -> str:
        return f"{self.results}/{path}"

    def excerpts(self, subject: str) -> str:
        return self(f"excerpts/{subject}.parquet")

    def shard(self, subject: str) -> str:
        return self(f"beats/{subject}.parquet")

    def quality(self, subject: str) -> str:
        return self(f"beats/{subject}.quality.parquet")

    def features(self, subject: str) -> str:
        return self(f"features/{subject}.safetensors")

    def mean_beats(self, subject: str) -> str:
        return self(f"mean_beats/{subject}.parquet")

    def patient_page(self, subject: str) -> str:
        return self(f"patients/{subject}/report.html")

    def arm_file(self, arm: str, subject: str, name: str) -> str:
        """A file of one patient in one arm."""
        return self(f"personal/{arm}/{subject}/{name}")

    def round_file(self, arm: str, subject: str, k: int, name: str) -> str:
        return self(f"personal/{arm}/{subject}/round-{k}/{name}")

    def shards(self, rounds: Iterable[SubjectRounds]) -> list[str]:
        return [self.shard(row.subject) for row in rounds]

    def all_features(self, rounds: Iterable[SubjectRounds]) -> list[str]:
        return [self.features(row.subject) for row in rounds]

    def explanations(self, rounds: Iterable[SubjectRounds]) -> list[str]:
        """The explanation's tables of every patient, whatever the number of arms."""
        subjects = sorted({row.subject for row in rounds})
        return [self(f"explanation/{subject}/{kind}.parquet") for subject in subjects for kind in EXPLANATION]

    def arm_files(self, rounds: Iterable[SubjectRounds], name: str) -> list[str]:
        """One file per patient and arm."""
        return [self.arm_file(arm, subject, name) for arm, subject, _ in rounds]

    def last_weights(self, rounds: Iterable[SubjectRounds]) -> list[str]:
        """The weights of the last round, one file per patient and arm."""
        return [self.round_file(arm, subject, n, "model.safetensors") for arm, subject, n in rounds]

    def round_weights(self, rounds: Iterable[SubjectRounds]) -> list[str]:
        """The weights of every round; round 0 is the generic network and has none of its own."""
        return [
            self.round_file(arm, subject, k, "model.safetensors") for arm, subject, n in rounds for k in range(1, n + 1)
        ]

    def round_predictions(self, rounds: Iterable[SubjectRounds]) -> list[str]:
        """The predictions of every round, round 0 included."""
        return [
            self.round_file(arm, subject, k, "predictions.parquet") for arm, subject, n in rounds for k in range(n + 1)
        ]

    def control_runs(self, rounds: Iterable[SubjectRounds], deciding: str | None, controls: Iterable[str]) -> list[str]:
        """The runs on other analytes: one file per analyte and patient of the deciding arm."""
        return [
            self.arm_file(arm, subject, f"controls/{control}.parquet")
            for control in controls
            for arm, subject, _ in rounds
            if arm == deciding
        ]

    def control_values(self, controls: Iterable[str]) -> list[str]:
        """The values of other analytes at the draws of personal candidates, one file per analyte."""
        return [self(f"cohort/control-{control}.parquet") for control in controls]

    def nulls(self, rounds: Sequence[SubjectRounds], arms: dict[str, Arm]) -> list[str]:
        """The negative controls of every arm: one file per patient and chunk if trained, otherwise one per arm."""
        chunks = {name: list(arm.null_chunks) for name, arm in arms.items()}
        trained = [
            self.arm_file(arm, subject, f"nulls/{chunk}.parquet") for arm, subject, _ in rounds for chunk in chunks[arm]
        ]
        evaluable_arms = {row.arm for row in rounds}
        strangers = (arm for arm in arms if arm in evaluable_arms and arms[arm].uses_other_patients)
        return trained + [self(f"personal/{arm}/cross_patient.parquet") for arm in strangers]
