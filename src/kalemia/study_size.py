"""How large a study is: people, draws and rounds, counted in its results or its tables, or as in the paper."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.compute as pc

from kalemia.cohort.generic_set import choose_generic_draws
from kalemia.cohort.select_cohort import select_draws
from kalemia.core.config import ROLLING, Study
from kalemia.core.paths import ResultPaths, SubjectRounds, subject_name
from kalemia.core.tables import read_table
from kalemia.personal.arms import draws_by_subject
from kalemia.personal.splits import split_draws
from kalemia.personal.study_subjects import read_rounds
from kalemia.report.chiu2022 import INCLUSION
from kalemia.sources.registry import describe_source

_PAPER_VALUES = 836_181  # potassium values of MIMIC-III (benchmarks/cohort.py)
_PAPER_RECORDINGS = 22_317  # of its waveforms
_ASSUMED_DRAWS, _ASSUMED_PAIRS = 26, 10  # of a personal patient, which the paper does not give


@dataclass(frozen=True)
class StudySize:
    """What the work of a study grows with.

    origin: where the counts are from, in words. n_values: of the analyte, in the tables. n_subjects, n_draws: people
    with ECG to read, and their draws. n_generic_draws: of the generic network. n_patients, n_personal_draws: with a
    personal network. rounds: of every arm and patient. n_recordings: whose headers are fetched.
    """

    origin: str
    n_values: int
    n_subjects: int
    n_draws: int
    n_generic_draws: int
    n_patients: int
    n_personal_draws: int
    rounds: tuple[SubjectRounds, ...]
    n_recordings: int = 0


def study_size(study: Study, reads_tables: bool = True) -> StudySize | None:
    """The size of a study: by its results if it has run so far, else by its settings or tables, else by the paper.

    reads_tables: whether local tables and recordings are read, which takes as long as the stage cohort. None if only
    that stage will tell.
    """
    if Path(ResultPaths(study.results)("cohort/personal.parquet")).exists():
        return size_of_results(study)
    description = describe_source(study)
    if description.is_simulated:
        return _size_of_draws(study, *_simulated_draws(study), "as its settings simulate them")
    if not description.downloads_recordings and not description.downloads_tables:
        if not reads_tables:
            return None
        description.check()
        table = select_draws(description.open(), study.analyte, study.cohort, study.populations, study.seed)[0]
        to_read = table.filter(pc.is_valid(table["candidate_population"])).to_pylist()
        return _size_of_draws(study, len(table), to_read, "by its tables, if every ECG is good")
    is_mimic3 = "mimiciii" in urlsplit(study.source.tables).path.split("/")
    return size_of_paper(study) if is_mimic3 else None


def size_of_results(study: Study) -> StudySize:
    """The size of a study whose populations are known."""
    path = ResultPaths(study.results)
    draws = read_table(path("cohort/draws.parquet"), "draws", ["subject_id", "candidate_population"])
    to_read = draws.filter(pc.is_valid(draws["candidate_population"]))
    personal = read_table(path("cohort/personal.parquet"), "personal", ["subject_id"])
    return StudySize(
        f"counted in {study.results}",
        len(draws),
        len(pc.unique(to_read["subject_id"])),
        len(to_read),
        len(read_table(path("cohort/generic.parquet"), "generic", ["subject_id"])),
        len(pc.unique(personal["subject_id"])),
        len(personal),
        tuple(read_rounds(study, path("cohort/personal.parquet"))),
    )


def size_of_paper(study: Study) -> StudySize:
    """The size of the paper's study (Chiu et al. 2022) under the arms of this one."""
    n_patients = INCLUSION["personal"]
    most = study.personal.max_rounds
    rounds = [
        SubjectRounds(arm, f"patient {i}", _ASSUMED_PAIRS if settings.protocol == ROLLING else most)
        for arm, settings in study.arms.items()
        for i in range(n_patients)
    ]
    n_generic = INCLUSION["positive_draws"] + INCLUSION["negative_draws"]
    n_personal = n_patients * _ASSUMED_DRAWS
    return StudySize(
        f"the paper's, with {_ASSUMED_DRAWS} draws and {_ASSUMED_PAIRS} pairs a patient, which it does not give",
        _PAPER_VALUES,
        INCLUSION["eligible"],
        round(INCLUSION["eligible_generic"] * n_generic / INCLUSION["generic"]) + n_personal,
        n_generic,
        n_patients,
        n_personal,
        tuple(rounds),
        _PAPER_RECORDINGS,
    )


def _size_of_draws(study: Study, n_values: int, to_read: list[dict], origin: str) -> StudySize:
    """The size if every draw that is read can be used; rows have the columns of `cohort/draws.parquet`."""
    personal = draws_by_subject(row for row in to_read if row["candidate_population"] == "personal")
    generic: dict[int, list[dict]] = {}
    for row in to_read:
        if row["candidate_population"] == "generic":
            generic.setdefault(row["subject_id"], []).append(row)
    rounds = [
        SubjectRounds(
            arm, subject_name(subject), len(split_draws(settings, draws, study.personal, study.seed, subject).rounds)
        )
        for arm, settings in study.arms.items()
        for subject, draws in personal.items()
    ]
    return StudySize(
        origin,
        n_values,
        len({row["subject_id"] for row in to_read}),
        len(to_read),
        len(choose_generic_draws(generic, study.populations, study.seed)),
        len(personal),
        sum(map(len, personal.values())),
        tuple(rounds),
    )


def _simulated_draws(study: Study) -> tuple[int, list[dict]]:
    """The number of simulated values, and the draws that are read of them, before anything is simulated."""
    from kalemia.simulate.patients import Person, cohort

    def draws_to_read(person: Person) -> Iterable[tuple[int, int | None]]:
        """Of a generic patient, draws of one class, the positive ones first."""
        recorded = [(i, draw.label) for i, draw in enumerate(person.monitored.draws) if draw.stretch is not None]
        if person.population == "personal":
            return recorded
        used = 1 if any(label == 1 for _, label in recorded) else 0
        return [(i, label) for i, label in recorded if label == used][: study.cohort.draws_per_generic_patient]

    people = cohort(study.simulation, study.analyte, study.seed)
    rows = [
        {
            "subject_id": person.subject_id,
            "draw_id": 1000 * person.subject_id + i,
            "draw_time": person.monitored.at(person.monitored.draws[i].hours),
            "label": label,
            "recording": str(person.monitored.draws[i].stretch),
            "hadm_id": person.monitored.hadm_id,
            "candidate_population": person.population,
        }
        for person in people
        if person.population != "excluded"
        for i, label in draws_to_read(person)
    ]
    return sum(len(stay.draws) for person in people for stay in person.admissions), rows
