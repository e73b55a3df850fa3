"""Count a study's finished files per stage and per patient; starts nothing and changes nothing."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from kalemia.cohort.subject_names import read_subject_names
from kalemia.core.config import Study
from kalemia.core.paths import ResultPaths, SubjectRounds
from kalemia.core.wording import align_columns
from kalemia.personal.study_subjects import read_candidates, read_populations, read_rounds

_LAST_LINE = "What would be made again after a change, and why: snakemake -n"


def status_lines(study: Study) -> Iterator[str]:
    """A table of stages, a table of personal patients, and counts of all other subjects.

    Paths are relative to the working directory, as for Snakemake. Raises `UserError` if a table cannot be read.
    """
    path = ResultPaths(study.results)
    subjects, rounds = _read_subjects(study, path)
    yield from (f"study {study.study}, in {study.results}", "")
    yield from align_columns([("stage", "files", "missing"), *_stage_rows(study, path, subjects, rounds)])
    if subjects:
        personal = [subject for subject, population in subjects.items() if population == "personal"]
        yield ""
        yield from align_columns(_patient_rows(study, path, personal, rounds))
        yield ""
        yield from _other_lines(path, subjects)
    else:
        yield from ("", "Subjects are known after the stage cohort.")
    yield from ("", _LAST_LINE)


def _read_subjects(study: Study, path: ResultPaths) -> tuple[dict[str, str | None], list[SubjectRounds] | None]:
    """Subject -> population (before that is known, the candidate), and the rounds; None if they are not known yet."""
    candidates, populations, personal = (
        Path(path(f"cohort/{name}.parquet")) for name in ("subjects", "populations", "personal")
    )
    subjects: dict[str, str | None] = {}
    for file, read in ((candidates, read_candidates), (populations, read_populations)):
        subjects |= read(file) if file.exists() else {}
    if not personal.exists():
        return subjects, None
    return subjects, read_rounds(study, personal)


def _stage_rows(
    study: Study, path: ResultPaths, subjects: Iterable[str], rounds: list[SubjectRounds] | None
) -> Iterator[tuple[str, ...]]:
    """The existing and the missing files per stage."""
    stages: dict[str, Iterable[str]] = {"cohort": [path("cohort/draws.parquet")]}
    if subjects:
        stages |= {"excerpts": map(path.excerpts, subjects), "beats": map(path.shard, subjects)}
    stages |= {"populations": [path("cohort/populations.parquet")], "generic": [path("generic/model.safetensors")]}
    if rounds is not None:
        evaluable = [row for row in rounds if row.n_rounds]
        stages["rounds"] = path.round_predictions(evaluable)
        stages["negative controls"] = path.nulls(evaluable, study.arms)
        if study.controls:
            stages["other analytes"] = path.control_runs(evaluable, study.deciding_arm, study.controls)
        stages["patient pages"] = [path.patient_page(subject) for subject in sorted({row.subject for row in rounds})]
    stages |= {"evaluation": [path("evaluation/claims.json")], "report": [path("report.html")]}
    for stage, files in stages.items():
        exists = [Path(file).exists() for file in files]
        yield stage, str(exists.count(True)), str(exists.count(False) or "")


def _patient_rows(
    study: Study, path: ResultPaths, subjects: list[str], rounds: list[SubjectRounds] | None
) -> Iterator[tuple[str, ...]]:
    yield "patient", "excerpts", "beats", *(f"{arm}, rounds" for arm in study.arms), "page", "missing"
    n_rounds = {(row.arm, row.subject): row.n_rounds for row in rounds or ()}
    names = read_subject_names(path("cohort/subject_names.parquet"))
    for subject in subjects:
        evaluable = [SubjectRounds(arm, subject, n_rounds.get((arm, subject), 0)) for arm in study.arms]
        evaluable = [row for row in evaluable if row.n_rounds]
        files = [path.excerpts(subject), path.shard(subject), path.patient_page(subject)]
        excerpts, beats, page = ("yes" if Path(file).exists() else "no" for file in files)
        files += path.round_predictions(evaluable) + path.arm_files(evaluable, "split.json")
        n_missing = sum(not Path(file).exists() for file in files)
        arms = map(partial(_count_rounds, path, n_rounds, subject), study.arms)
        called = f" ({names[subject]})" if subject in names else ""
        yield f"{subject}{called}", excerpts, beats, *arms, page, str(n_missing or "")


def _count_rounds(path: ResultPaths, n_rounds: dict[tuple[str, str], int], subject: str, arm: str) -> str:
    """Rounds done, of how many."""
    if (arm, subject) not in n_rounds:
        return "not known yet"
    n = n_rounds[arm, subject]
    done = sum(Path(file).exists() for file in path.round_weights([SubjectRounds(arm, subject, n)]))
    return f"{done} of {n}" if n else "not evaluable"


def _other_lines(path: ResultPaths, subjects: dict[str, str | None]) -> Iterator[str]:
    """All subjects that are not personal, one line per population."""
    for population in sorted({population or "" for population in subjects.values()} - {"personal"}):
        names = [name for name, of in subjects.items() if (of or "") == population]
        excerpts, beats = (sum(Path(file(name)).exists() for name in names) for file in (path.excerpts, path.shard))
        yield f"{len(names)} {population or 'in neither population'}: excerpts of {excerpts}, beats of {beats}"
