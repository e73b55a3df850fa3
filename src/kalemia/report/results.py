"""The results of a study as the report holds them in memory."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.paths import subject_name


class RuleTime(NamedTuple):
    """What the jobs of one rule took: seconds in all and at the longest, and the largest memory."""

    rule: str
    jobs: int
    total_s: float
    longest_s: float
    memory_mb: float


@dataclass(frozen=True)
class Example:
    """A patient whose AUC in the deciding arm is the middle one."""

    subject: str
    auc: float
    draws: list[dict]  # predictions of all draws after the last round, in the order of time


@dataclass(frozen=True)
class StudyResults:
    """The tables and figures of a whole study."""

    flow: dict
    characteristics: dict
    populations: pa.Table
    names: pa.Table
    arms: pa.Table
    history: pa.Table
    generic: pa.Table  # predictions of the generic network
    evaluation: dict[str, pa.Table]  # by name: the tables of `kalemia.report.inputs.EVALUATION_TABLES`
    summary: dict
    claims: dict
    controls: dict
    registration: dict
    between_patients: dict
    times: list[RuleTime]
    hashes: dict[str, str]  # of `HASHED_FILES`
    review: str | None  # where the page of the review lies, seen from the study's page; None where it was not made
    explanations: "dict[str, Explanation]"  # of the personal patients who are evaluable in at least one arm
    example: Example | None = None  # None where nobody is evaluable in a deciding arm

    @property
    def n_rounds(self) -> int:
        return max(self.evaluation["rounds"]["round"].to_pylist(), default=0)

    @cached_property
    def rounds(self) -> list[dict]:
        """The rows of the table of that name."""
        return self.evaluation["rounds"].to_pylist()

    @cached_property
    def averages(self) -> list[dict]:
        """The rows of the table of that name."""
        return self.evaluation["averages"].to_pylist()

    @cached_property
    def shown(self) -> SubjectNames:
        """How people call each subject."""
        return SubjectNames.of_table(self.names)

    @property
    def personal(self) -> list[str]:
        """The personal patients, as ``p010059``."""
        return personal_subjects(self.populations)


@dataclass(frozen=True)
class Embedding:
    """The beats of one patient in the plane, as one model arranges them."""

    labels: np.ndarray  # (beats,)
    learned: np.ndarray  # (beats,) whether the model has learned from the beat's draw
    potassium: np.ndarray  # (beats,)
    episodes: np.ndarray  # (beats,) numbered from 0 in the order of time
    positions: dict[str, np.ndarray]  # t-SNE, PCA -> (beats, 2)

    def every(self, step: int) -> "Embedding":
        """One in `step` of the beats."""
        return Embedding(
            self.labels[::step],
            self.learned[::step],
            self.potassium[::step],
            self.episodes[::step],
            {method: positions[::step] for method, positions in self.positions.items()},
        )


@dataclass(frozen=True)
class Explanation:
    """What the models of one patient look at; a model is `generic` or an arm after its last round.

    waves, sanity, occlusion, projections: the rows of those tables. acts_at: where potassium acts on the patient's
    beat, as truth.json says; for the study's page only, and empty unless the study is simulated.
    """

    mean_beat_mv: dict[tuple[str, int], np.ndarray]  # (model, label) -> (120,)
    attention: dict[tuple[str, int, int], np.ndarray]  # (model, stage, label) -> (120,), 0 to 1
    embedding: dict[str, Embedding]
    waves: list[dict]
    sanity: list[dict]
    occlusion: list[dict]
    projections: list[dict]
    acts_at: list[dict] = field(default_factory=list)

    @property
    def stages(self) -> list[int]:
        """Those whose maps there are, ascending."""
        return sorted({stage for _, stage, _ in self.attention})


def personal_subjects(populations: pa.Table) -> list[str]:
    """The personal patients of the table of populations, as ``p010059``."""
    rows = zip(populations["subject_id"].to_pylist(), populations["population"].to_pylist(), strict=True)
    return [subject_name(subject) for subject, population in rows if population == "personal"]
