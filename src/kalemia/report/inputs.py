"""What the report reads: the files of one study, and those of one patient, as plain values."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.cohort.subject_names import SubjectNames, read_subject_names
from kalemia.core.errors import UserError
from kalemia.core.paths import subject_id, subject_name
from kalemia.core.schemas import BEAT_SAMPLES, EVALUATION, EXPLANATION, TABLES, Table
from kalemia.core.tables import read_json, read_table
from kalemia.report.provenance import hashes, rule_times
from kalemia.report.results import Embedding, Example, Explanation, StudyResults
from kalemia.stats.draw_metrics import role_metrics

JSON_FILES = {  # field of `StudyResults` -> file in the results folder
    "flow": "cohort/flow.json",
    "characteristics": "cohort/characteristics.json",
    "summary": "evaluation/summary.json",
    "claims": "evaluation/claims.json",
    "controls": "evaluation/controls.json",
    "registration": "cohort/claims.json",
    "between_patients": "evaluation/between_patients.json",
}
TABLE_FILES = {  # field -> kind of table, its file being the first of that kind
    "populations": "populations",
    "names": "subject_names",
    "arms": "arms",
    "history": "history",
    "generic": "predictions",
}
EVALUATION_TABLES = {file.name: file for file in EVALUATION if isinstance(file, Table) and file.on_page}
_TABLES = (*(TABLES[kind] for kind in TABLE_FILES.values()), *EVALUATION_TABLES.values())
STUDY_FILES = tuple(sorted([*JSON_FILES.values(), *(table.path for table in _TABLES)]))
# the history has the seconds of each epoch and the registration its time, so that no two runs have the same
HASHED_FILES = tuple(path for path in STUDY_FILES if path not in ("generic/history.parquet", "cohort/claims.json"))
REVIEW = "quality/review.html"
TRUTH = "source/truth.json"


@dataclass(frozen=True)
class PatientArm:
    """One patient in one arm: the predictions of every round, from 0 (generic) on, or why there are none."""

    reason: str | None
    predictions: list[pa.Table]

    @cached_property
    def metrics(self) -> list[dict]:
        """`kalemia.stats.draw_metrics.role_metrics` of the test draws after each round."""
        return [role_metrics(table, "test") for table in self.predictions]

    @cached_property
    def last_by_draw(self) -> dict[int, dict]:
        """The prediction after the last round, by draw."""
        return {row["draw_id"]: row for row in self.predictions[-1].to_pylist()} if self.predictions else {}


class Neighbor(NamedTuple):
    """Another personal patient: as in paths, and as people call the patient."""

    subject: str
    name: str


@dataclass(frozen=True)
class PatientResults:
    """Everything the page of one patient shows."""

    subject: str
    name: str  # as people call the subject
    excerpts: list[dict]  # rows of the table of mean beats, without these, in the order of time
    unread: dict[str, int]  # why potassium values have no excerpt -> how many
    arms: dict[str, PatientArm]
    draw_beats_mv: np.ndarray  # (draws, 120): the mean beat of every usable labeled draw
    draw_labels: np.ndarray  # (draws,)
    explanation: Explanation | None
    neighbors: tuple[Neighbor | None, Neighbor | None]  # the personal patients before and after this one


def read_study(results: str | Path) -> StudyResults:
    """Read what the study's page and figures show from the results folder."""
    results = Path(results)
    data = StudyResults(
        **{field: read_json(results / path) for field, path in JSON_FILES.items()},
        **{field: read_table(results / TABLES[kind].path, kind) for field, kind in TABLE_FILES.items()},
        evaluation={name: read_table(results / table.path, table.kind) for name, table in EVALUATION_TABLES.items()},
        times=rule_times(results / "times"),
        hashes=hashes(results, HASHED_FILES),
        review=REVIEW if (results / REVIEW).exists() else None,
        explanations={},
    )
    acts_at = _places_of_effect(results / TRUTH)
    explanations = {
        subject: replace(one, acts_at=acts_at.get(subject_id(subject), []))
        for subject, one in read_explanations(results, data.personal).items()
    }
    return replace(data, explanations=explanations, example=_example(results, data))


def _example(results: Path, data: StudyResults) -> Example | None:
    """The patient with the middle AUC in the deciding arm; of two in the middle the lower."""
    arm = data.claims["arm"]
    rows = [row for row in data.evaluation["evidence"].to_pylist() if row["arm"] == arm and row["auc"] is not None]
    if not rows:
        return None
    middle = sorted(rows, key=lambda row: (row["auc"], row["subject_id"]))[(len(rows) - 1) // 2]
    rounds = {(row["arm"], row["subject_id"]): row["rounds"] for row in data.arms.to_pylist()}
    subject, last = subject_name(middle["subject_id"]), rounds[arm, middle["subject_id"]]
    path = results / f"personal/{arm}/{subject}/round-{last}/predictions.parquet"
    return Example(subject, middle["auc"], read_table(path, "predictions").sort_by("draw_time").to_pylist())


def read_explanations(results: str | Path, subjects: list[str]) -> dict[str, Explanation]:
    """The explanations of those `subjects` who are evaluable in at least one arm."""
    arms = read_table(Path(results) / "personal/arms.parquet", "arms").to_pylist()
    evaluable = {subject_name(row["subject_id"]) for row in arms if row["reason"] is None}
    folder = Path(results) / "explanation"
    return {subject: _explanation(folder / subject) for subject in subjects if subject in evaluable}


def _places_of_effect(path: Path) -> dict[int, list[dict]]:
    """By patient the places where potassium acts on the beat; only a simulated study has the file."""
    patients = read_json(path)["patients"] if path.exists() else []
    return {patient["subject_id"]: patient["potassium_acts_at"] for patient in patients}


def read_patient(results: str | Path, subject: str) -> PatientResults:
    """Read one patient; needs no ECG, and no file that depends on another patient's training."""
    results, number = Path(results), subject_id(subject)
    excerpts = read_table(results / f"mean_beats/{subject}.parquet", "mean_beats")
    shown = excerpts.filter(pc.and_(pc.is_valid(excerpts["label"]), pc.is_valid(excerpts["mean_beat"])))
    values = read_table(results / "cohort/draws.parquet", "draws", columns=["subject_id", "reason"])
    reasons = values.filter(pc.equal(values["subject_id"], number))["reason"].to_pylist()
    names = read_subject_names(results / "cohort/subject_names.parquet")
    return PatientResults(
        subject=subject,
        name=names[subject],
        neighbors=_neighbors(results, number, names),
        excerpts=excerpts.drop_columns("mean_beat").to_pylist(),
        unread=dict(sorted(Counter(reason for reason in reasons if reason is not None).items())),
        arms=_patient_arms(results, subject),
        draw_beats_mv=_matrix(shown["mean_beat"]),
        draw_labels=shown["label"].to_numpy(),
        explanation=read_explanations(results, [subject]).get(subject),
    )


def _neighbors(results: Path, number: int, names: SubjectNames) -> tuple[Neighbor | None, Neighbor | None]:
    numbers = read_table(results / "personal/arms.parquet", "arms")["subject_id"].to_pylist()
    before = max((one for one in numbers if one < number), default=None)
    after = min((one for one in numbers if one > number), default=None)
    subjects = (None if one is None else subject_name(one) for one in (before, after))
    return tuple(subject and Neighbor(subject, names[subject]) for subject in subjects)


def _patient_arms(results: Path, subject: str) -> dict[str, PatientArm]:
    by_arm = read_table(results / "personal/arms.parquet", "arms")
    arms = {}
    for row in by_arm.filter(pc.equal(by_arm["subject_id"], subject_id(subject))).to_pylist():
        rounds = range(row["rounds"] + 1) if row["reason"] is None else ()
        folder = results / "personal" / row["arm"] / subject
        tables = [read_table(folder / f"round-{round_}/predictions.parquet", "predictions") for round_ in rounds]
        arms[row["arm"]] = PatientArm(row["reason"], tables)
    if not arms:
        raise UserError(
            f"{subject} is not a personal patient of this study; {results / 'personal/arms.parquet'} has them"
        )
    return arms


def _explanation(folder: Path) -> Explanation:
    tables = {kind: read_table(folder / f"{kind}.parquet", kind) for kind in EXPLANATION}
    gradcam, embedding = tables["gradcam"], tables["embedding"]
    keys = list(zip(*(gradcam[name].to_pylist() for name in ("model", "stage", "label")), strict=True))
    beats_mv, attention = _matrix(gradcam["mean_beat"]), _matrix(gradcam["attention"])
    return Explanation(
        mean_beat_mv={(model, label): beat for (model, _, label), beat in zip(keys, beats_mv, strict=True)},
        attention=dict(zip(keys, attention, strict=True)),
        embedding={
            model: _embedding(embedding.filter(pc.equal(embedding["model"], model)))
            for model in dict.fromkeys(embedding["model"].to_pylist())
        },
        **{kind: tables[kind].to_pylist() for kind in ("waves", "sanity", "occlusion", "projections")},
    )


def _embedding(beats: pa.Table) -> Embedding:
    places = {
        method: np.column_stack([beats[f"{name}_x"].to_numpy(), beats[f"{name}_y"].to_numpy()])
        for method, name in (("t-SNE", "tsne"), ("PCA", "pca"))
    }
    return Embedding(
        labels=beats["label"].to_numpy(),
        learned=pc.equal(beats["role"], "train").to_numpy(),
        potassium=beats["value"].to_numpy(),
        episodes=beats["episode"].to_numpy(),
        positions=places,
    )


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    """A column of beats, or of maps over them, as (rows, 120)."""
    return column.combine_chunks().flatten().to_numpy().astype(np.float64).reshape(-1, BEAT_SAMPLES)
