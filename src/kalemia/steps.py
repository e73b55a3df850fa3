"""The steps of a study as files: what each makes, from what, by which recipe. The rules say the same to Snakemake.

A test holds the two together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalemia.arms import splits_of_arms
from kalemia.config import Study
from kalemia.dictionary import TABLES
from kalemia.report import PATIENT_FIGURES, SECTION_FIGURES, STUDY_TABLES
from kalemia.schemas import EXPLANATION
from kalemia.tables import read_table

# of evaluation/: tables that the study's page is made from, and those that it is not
_SHOWN = ("rounds", "leakage", "distances", "patients", "averages", "tests", "effective", "periods", "prevalence")
_SHOWN += ("alerts", "calibration", "decision_curve")
_NOT_SHOWN = ("baselines", "nulls", "resampled_draws", "resampled_patients")


@dataclass(frozen=True)
class Step:
    """One job: its outputs and inputs as paths, and the digest that its recipe has today.

    `recorded` is the output that holds the digest of the recipe it was made by; None where none does. Inputs whose
    time does not count (the features of a patient) are left out.
    """

    stage: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    digest: str
    recorded: str | None = None
    subject: str | None = None
    arm: str | None = None


@dataclass(frozen=True)
class People:
    """Who is in a study, as far as its files say: subject -> population (or None), and the rounds of (arm, subject)."""

    populations: dict[str, str | None]
    rounds: dict[tuple[str, str], int]

    @property
    def generic(self) -> list[str]:
        return [subject for subject, population in self.populations.items() if population == "generic"]

    @property
    def personal(self) -> list[str]:
        return [subject for subject, population in self.populations.items() if population == "personal"]

    def possible(self, subject: str) -> dict[str, int]:
        """Arm -> number of rounds, of the arms that are possible for a patient."""
        return {arm: n for (arm, of), n in self.rounds.items() if of == subject and n}


def people_of(study: Study) -> People:
    """Candidates once the cohort is known, populations and rounds once they are; before that nobody.

    Raises `UserError` where one of these tables cannot be read.
    """
    folder = Path(study.results) / "cohort"
    populations: dict[str, str | None] = {}
    rounds = {}
    for kind, column in (("subjects", "candidate"), ("populations", "population")):
        if (folder / f"{kind}.parquet").exists():
            table = read_table(folder / f"{kind}.parquet", kind, ["subject_id", column])
            rows = zip(table["subject_id"].to_pylist(), table[column].to_pylist(), strict=True)
            populations |= {f"p{subject:06d}": population for subject, population in rows}
    if (folder / "personal.parquet").exists():
        splits = splits_of_arms(folder / "personal.parquet", study.arms, study.personal, study.seed)
        rounds = {(arm, f"p{subject:06d}"): len(split.rounds) for (arm, subject), split in splits.items()}
    return People(populations, rounds)


def steps_of(study: Study, people: People) -> Iterator[Step]:
    """Every step of a study from the cohort on, in an order in which each comes after those that it needs."""
    at = _Paths(study.results)
    subjects, personal = list(people.populations), people.personal
    quality = [at.quality(subject) for subject in subjects]
    cohort = tuple(at(f"cohort/{name}.parquet") for name in ("draws", "subjects", "unreadable"))
    draws = cohort[0]
    yield Step("cohort", cohort, tuple(_source_files(study)), study.digest("cohort"), draws)
    excerpts = study.digest("excerpts")
    for subject in subjects:
        path = at(f"excerpts/{subject}.parquet")
        yield Step("excerpts", (path,), (draws,), excerpts, path, subject)
    beats = study.digest("beats")
    for subject in subjects:
        outputs = (at.shard(subject), at.quality(subject))
        yield Step("beats", outputs, (at(f"excerpts/{subject}.parquet"),), beats, outputs[1], subject)
    who = [at(f"cohort/{name}.parquet") for name in ("populations", "generic", "personal")]
    populations = (*who, at("cohort/flow.json"))
    yield Step("populations", populations, (draws, *quality), study.digest("populations"), who[0])
    context = at("cohort/context.parquet")
    yield Step("context", (context,), (draws, *quality), study.digest("context"), context)
    yield from _generic(study, at, [at.shard(subject) for subject in people.generic])
    arms = at("personal/arms.parquet")
    yield Step("arms", (arms,), (who[2],), study.digest("arms"), arms)
    for subject in personal:
        yield from _personal(study, at, subject, people.possible(subject))
    yield from _whole_study(study, at, people)


class _Paths:
    """Where files lie below the results folder."""

    def __init__(self, results: str):
        self._results = results

    def __call__(self, path: str) -> str:
        return f"{self._results}/{path}"

    def shard(self, subject: str) -> str:
        return self(f"beats/{subject}.parquet")

    def quality(self, subject: str) -> str:
        return self(f"beats/{subject}.quality.parquet")

    def of_arm(self, arm: str, subject: str, name: str) -> str:
        return self(f"personal/{arm}/{subject}/{name}")

    def round(self, arm: str, subject: str, k: int, name: str) -> str:
        return self.of_arm(arm, subject, f"round-{k}/{name}")

    @property
    def generic(self) -> str:
        return self("generic/model.safetensors")


def _source_files(study: Study) -> list[str]:
    """What the cohort is made from, of what lies on this machine."""
    tables, waveforms = Path(study.tables_folder), Path(study.waveforms)
    if study.source.kind == "own":
        return [str(tables / "potassium.csv"), str(waveforms / "recordings.csv")]
    found = [path for name in TABLES for path in (tables / f"{name}.csv.gz", tables / f"{name}.csv") if path.exists()]
    return list(map(str, found))


def _generic(study: Study, at: _Paths, shards: list[str]) -> Iterator[Step]:
    names = ("model.safetensors", "history.parquet", "predictions.parquet", "metrics.json")
    outputs = tuple(at(f"generic/{name}") for name in names)
    yield Step("generic", outputs, (at("cohort/generic.parquet"), *shards), study.digest("generic"), outputs[1])


def _personal(study: Study, at: _Paths, subject: str, possible: dict[str, int]) -> Iterator[Step]:
    """One patient's: splits, features, rounds, nulls, explanation and page."""
    shard = at.shard(subject)
    splits = [at.of_arm(arm, subject, "split.json") for arm in study.arms]
    for arm, path in zip(study.arms, splits, strict=True):
        yield Step("split", (path,), (at.quality(subject), shard), study.split_digest(arm), path, subject, arm)
    if possible:
        features = (at(f"features/{subject}.safetensors"),)
        yield Step("features", features, (shard, at.generic), study.digest("features"), subject=subject)
    for arm, rounds in possible.items():
        yield from _arm(study, at, subject, arm, rounds)
    predictions = [
        at.round(arm, subject, k, "predictions.parquet") for arm, n in possible.items() for k in range(n + 1)
    ]
    explanation = tuple(at(f"explanation/{subject}/{name}.parquet") for name in EXPLANATION)
    if possible:
        last = [at.round(arm, subject, rounds, "model.safetensors") for arm, rounds in possible.items()]
        inputs, digest = (shard, at.generic, *last, *splits), study.digest("explanation")
        yield Step("explanation", explanation, inputs, digest, explanation[0], subject)
    page = [
        at(f"patients/{subject}/{name}")
        for name in ("report.html", "model-card.md", *(f"{n}.svg" for n in PATIENT_FIGURES))
    ]
    inputs = [at("cohort/draws.parquet"), at("personal/arms.parquet"), shard, at.quality(subject), *splits]
    inputs += [*predictions, *(explanation if possible else ())]
    yield Step("patient_report", tuple(page), tuple(inputs), study.digest("report"), subject=subject)


def _arm(study: Study, at: _Paths, subject: str, arm: str, rounds: int) -> Iterator[Step]:
    """One patient's rounds in one arm, from round 0 on, and the nulls."""
    needed = (at.of_arm(arm, subject, "split.json"), at.shard(subject), at.generic)
    scores = [
        tuple(at.round(arm, subject, k, n) for n in ("predictions.parquet", "metrics.json")) for k in range(rounds + 1)
    ]
    outputs = (*scores[0], at.of_arm(arm, subject, "baselines.parquet"))
    inputs = (*needed, at("cohort/context.parquet"))
    yield Step("round_0", outputs, inputs, study.digest("baselines"), outputs[0], subject, arm)
    for k in range(1, rounds + 1):
        previous = (at.round(arm, subject, k - 1, "model.safetensors"),) if k > 1 else ()
        outputs = (at.round(arm, subject, k, "model.safetensors"), *scores[k])
        yield Step("finetune", outputs, (*needed, *previous), study.arm_digest(arm), outputs[1], subject, arm)
    if study.arms[arm].trains_nulls:
        path = at.of_arm(arm, subject, "nulls.parquet")
        yield Step("nulls", (path,), needed, study.nulls_digest(arm), path, subject, arm)


def _whole_study(study: Study, at: _Paths, people: People) -> Iterator[Step]:
    """What is gathered over patients: strangers, evaluation and the report."""
    trained = [(arm, subject, n) for (arm, subject), n in people.rounds.items() if n]
    splits = [at.of_arm(arm, subject, "split.json") for arm, subject, _ in trained]
    nulls = []
    for arm, settings in study.arms.items():
        mine = [(subject, n) for of, subject, n in trained if of == arm]
        if settings.trains_nulls:
            nulls += [at.of_arm(arm, subject, "nulls.parquet") for subject, _ in mine]
        if settings.nulls.get("stranger") and mine:
            path = at(f"personal/{arm}/strangers.parquet")
            inputs = [at.of_arm(arm, subject, "split.json") for subject, _ in mine] + [at.generic]
            inputs += [at.shard(subject) for subject, _ in mine]
            inputs += [at.round(arm, subject, n, "model.safetensors") for subject, n in mine]
            yield Step("strangers", (path,), tuple(inputs), study.nulls_digest(arm), path, arm=arm)
            nulls.append(path)
    predictions = [
        at.round(arm, subject, k, "predictions.parquet") for arm, subject, n in trained for k in range(n + 1)
    ]
    baselines = [at.of_arm(arm, subject, "baselines.parquet") for arm, subject, _ in trained]
    tables = {name: at(f"evaluation/{name}.parquet") for name in (*_SHOWN, *_NOT_SHOWN)}
    summaries = tuple(at(f"evaluation/{name}.json") for name in ("summary", "verdict"))
    generic = [at(f"generic/{name}") for name in ("metrics.json", "predictions.parquet", "history.parquet")]
    arms = at("personal/arms.parquet")
    inputs = (*predictions, *splits, *baselines, *nulls, arms, *generic[:2])
    yield Step("evaluation", (*tables.values(), *summaries), inputs, study.digest("evaluation"), tables["rounds"])
    explained = {subject: None for _, subject, _ in trained}
    explanations = [at(f"explanation/{subject}/{name}.parquet") for subject in explained for name in EXPLANATION]
    inputs = (at("cohort/populations.parquet"), at("cohort/flow.json"), arms, *generic[1:])
    inputs += (*(tables[name] for name in _SHOWN), *summaries, *explanations)
    figures = (at(f"figures/{name}.svg") for names in SECTION_FIGURES.values() for name in names)
    outputs = (at("report.html"), at("generic/model-card.md"), at("config.yaml"), *figures)
    outputs += tuple(at(f"tables/{name}.csv") for name in STUDY_TABLES)
    yield Step("study_report", outputs, inputs, study.digest("report"))
