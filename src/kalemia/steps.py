"""The steps of a study as files: what each makes, from what, by which recipe. The rules say the same to Snakemake.

A test holds the two together.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kalemia.beats.review_decisions import read_review_decisions
from kalemia.core.config import Study, is_url
from kalemia.core.config_files import config_text
from kalemia.core.paths import batches_of
from kalemia.core.schemas import EXPLANATION
from kalemia.core.tables import read_table
from kalemia.personal.arms import splits_of_arms
from kalemia.report import PATIENT_FIGURES, SECTION_FIGURES, STUDY_TABLES
from kalemia.sources.mimic_codes import BODY_TABLE, MORE_TABLES, TABLES
from kalemia.sources.mimic_tables import given_tables
from kalemia.sources.user_recordings import recorded_files

# of evaluation/: tables that the study's page is made from, and those that it is not
_SHOWN = ("rounds", "leakage", "distances", "patients", "averages", "tests", "effective", "periods", "prevalence")
_SHOWN += ("alerts", "calibration", "decision_curve", "baseline_averages")
_NOT_SHOWN = ("baselines", "nulls", "resampled_draws", "resampled_patients")


@dataclass(frozen=True, eq=False)
class Step:
    """One job: its outputs and inputs as paths, the digest that its recipe has today, and its other parameters.

    `recorded` is the output that holds the digest of the recipe it was made by; None where none does. `parameters` are
    those that Snakemake alone writes down. `ancient` are inputs whose time does not count, but which must be there.
    `asked` are the outputs that are made whenever they are missing; others wait until a step needs them. Those of a
    `temporary` step are there only until the steps that need them are done.
    """

    stage: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    digest: str
    recorded: str | None = None
    subject: str | None = None
    arm: str | None = None
    parameters: tuple = ()
    ancient: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    temporary: bool = False


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
    """Every step of a study, in an order in which each comes after those that it needs.

    Raises `UserError` where the review's decisions, or recordings.csv of one's own, cannot be read.
    """
    at = _Paths(study.results)
    subjects, personal = list(people.populations), people.personal
    quality = [at.quality(subject) for subject in subjects]
    waveforms = tuple(_waveforms(study))
    own = recorded_files(study.waveforms) if study.source.kind == "own" else {}
    if study.is_simulated:
        outputs = (*waveforms, *_clinical_tables(study, (*TABLES, *MORE_TABLES)), at("source/truth.json"))
        yield Step("simulate", outputs, (), study.digest("source"))
    cohort = tuple(at(f"cohort/{name}.parquet") for name in ("draws", "subjects", "unreadable"))
    draws = cohort[0]
    inputs = (*_cohort_tables(study), *waveforms, *chain.from_iterable(own.values()))
    yield Step("cohort", cohort, inputs, study.digest("cohort"), draws, asked=cohort)
    files = {subject: (draws, *waveforms, *own.get(int(subject[1:]), ())) for subject in subjects}
    yield from _excerpts(study, at, files)
    yield from _beats(study, at, subjects)
    who = [at(f"cohort/{name}.parquet") for name in ("populations", "generic", "personal")]
    outputs, inputs = (*who, at("cohort/flow.json")), (draws, *quality)
    yield Step("populations", outputs, inputs, study.digest("populations"), who[0], asked=outputs)
    yield _context(study, at, inputs)
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

    def excerpts(self, subject: str) -> str:
        return self(f"excerpts/{subject}.parquet")

    def shard(self, subject: str) -> str:
        return self(f"beats/{subject}.parquet")

    def quality(self, subject: str) -> str:
        return self(f"beats/{subject}.quality.parquet")

    def of_arm(self, arm: str, subject: str, name: str) -> str:
        return self(f"personal/{arm}/{subject}/{name}")

    def round(self, arm: str, subject: str, k: int, name: str) -> str:
        return self.of_arm(arm, subject, f"round-{k}/{name}")

    def features(self, subject: str) -> str:
        return self(f"features/{subject}.safetensors")

    @property
    def personal(self) -> str:
        return self("cohort/personal.parquet")

    @property
    def generic(self) -> str:
        return self("generic/model.safetensors")


def _waveforms(study: Study) -> list[str]:
    """What changes when the recordings do."""
    if is_url(study.waveforms):
        return []
    if study.source.kind == "own":
        return [f"{study.waveforms}/recordings.csv"]
    folder = f"{study.waveforms}/mimic3wdb-matched"
    return [folder if study.is_simulated else f"{folder}/1.0/RECORDS-waveforms"]


def _cohort_tables(study: Study) -> list[str]:
    if study.source.kind == "own":
        return [f"{study.tables_folder}/potassium.csv"]
    return _clinical_tables(study, TABLES)


def _clinical_tables(study: Study, names: Iterable[str]) -> list[str]:
    """The files of clinical tables, gzipped unless only the other is there."""
    if study.is_simulated or study.has_remote_tables:
        return [f"{study.tables_folder}/{name}.csv.gz" for name in names]
    files = (Path(study.tables_folder) / f"{name}.csv.gz" for name in names)
    return [str(file if file.exists() or not file.with_suffix("").exists() else file.with_suffix("")) for file in files]


def _treatment_tables(study: Study) -> list[str]:
    """The names of the tables of treatments that are given."""
    if study.is_simulated:
        given = MORE_TABLES
    elif study.source.kind == "own":
        given = ()
    elif study.has_remote_tables or study.source.more_tables is not None:
        given = study.source.more_tables or ()
    else:
        given = given_tables(study.tables_folder, MORE_TABLES)
    return [name for name in given if name != BODY_TABLE]


def _excerpts(study: Study, at: _Paths, files: dict[str, tuple[str, ...]]) -> Iterator[Step]:
    """Everybody's excerpts; `files` are what those of a subject are read from."""
    digest = study.digest("excerpts")
    for number, batch in enumerate(batches_of(list(files))):
        folder = at(f"excerpts/batch-{number}")
        inputs = tuple(dict.fromkeys(chain.from_iterable(files[subject] for subject in batch)))
        yield Step("excerpts_of_batch", (folder,), inputs, digest, parameters=(batch,), temporary=True)
        for subject in batch:
            path = at.excerpts(subject)
            yield Step("excerpts", (path,), (folder, *files[subject]), digest, path, subject)


def _beats(study: Study, at: _Paths, subjects: Sequence[str]) -> Iterator[Step]:
    """Everybody's beats; decisions of the review are a parameter of each subject's and of the batch."""
    digest, decisions = study.digest("beats"), read_review_decisions(study.review.decisions)
    for number, batch in enumerate(batches_of(subjects)):
        folder, inputs = at(f"beats/batch-{number}"), tuple(at.excerpts(subject) for subject in batch)
        of_batch = {n: decisions[n] for n in (int(subject[1:]) for subject in batch) if n in decisions}
        ancient = (study.review.decisions,) if of_batch else ()
        parameters = (batch, str(of_batch))
        yield Step("beats_of_batch", (folder,), inputs, digest, parameters=parameters, ancient=ancient, temporary=True)
        for subject in batch:
            outputs, inputs = (at.shard(subject), at.quality(subject)), (folder, at.excerpts(subject))
            parameters = (str(decisions.get(int(subject[1:]), {})),)
            yield Step("beats", outputs, inputs, digest, outputs[1], subject, parameters=parameters)


def _context(study: Study, at: _Paths, inputs: tuple[str, ...]) -> Step:
    path, given = at("cohort/context.parquet"), _treatment_tables(study)
    people = () if study.source.kind == "own" else ("PATIENTS", "ADMISSIONS")
    inputs += tuple(_clinical_tables(study, (*people, *given)))
    return Step("context", (path,), inputs, study.digest("context"), path, parameters=(given,), asked=(path,))


def _generic(study: Study, at: _Paths, shards: list[str]) -> Iterator[Step]:
    names = ("model.safetensors", "history.parquet", "predictions.parquet", "metrics.json")
    outputs = tuple(at(f"generic/{name}") for name in names)
    beats = at("beats/generic.parquet")
    who = at("cohort/generic.parquet")
    yield Step("generic_beats", (beats,), tuple(shards), study.digest("generic_beats"), beats, ancient=(who,))
    yield Step("generic", outputs, (who, beats), study.digest("generic"), outputs[1])


def _personal(study: Study, at: _Paths, subject: str, possible: dict[str, int]) -> Iterator[Step]:
    """One patient's: splits, features, rounds, nulls, explanation and page."""
    shard = at.shard(subject)
    splits = [at.of_arm(arm, subject, "split.json") for arm in study.arms]
    for arm, path in zip(study.arms, splits, strict=True):
        inputs, digest = (at.quality(subject), shard), study.split_digest(arm)
        yield Step("split", (path,), inputs, digest, path, subject, arm, ancient=(at.personal,))
    if possible:
        inputs, digest = (shard, at.generic), study.digest("features")
        yield Step("features", (at.features(subject),), inputs, digest, subject=subject, ancient=(at.personal,))
    for arm, rounds in possible.items():
        yield from _arm(study, at, subject, arm, rounds)
    predictions = [
        at.round(arm, subject, k, "predictions.parquet") for arm, n in possible.items() for k in range(n + 1)
    ]
    explanation = tuple(at(f"explanation/{subject}/{name}.parquet") for name in EXPLANATION)
    if possible:
        last = [at.round(arm, subject, rounds, "model.safetensors") for arm, rounds in possible.items()]
        inputs, digest = (shard, at.features(subject), at.generic, *last, *splits), study.digest("explanation")
        yield Step("explanation", explanation, inputs, digest, explanation[0], subject, ancient=(at.personal,))
    means = at(f"mean_beats/{subject}.parquet")
    page = [
        at(f"patients/{subject}/{name}")
        for name in ("report.html", "model-card.md", *(f"{n}.svg" for n in PATIENT_FIGURES))
    ]
    inputs = [at("cohort/draws.parquet"), at("personal/arms.parquet"), shard, at.quality(subject), *splits]
    inputs += [*predictions, *(explanation if possible else ())]
    about = {"recorded": means, "subject": subject, "parameters": (list(study.arms),), "asked": (page[0], means)}
    yield Step("patient_report", (*page, means), tuple(inputs), study.digest("report"), **about)


def _arm(study: Study, at: _Paths, subject: str, arm: str, rounds: int) -> Iterator[Step]:
    """One patient's rounds in one arm, from round 0 on, and the nulls."""
    needed = (at.of_arm(arm, subject, "split.json"), at.shard(subject), at.generic, at.features(subject))
    of_arm = {"subject": subject, "arm": arm, "ancient": (at.personal,)}
    scores = [
        tuple(at.round(arm, subject, k, n) for n in ("predictions.parquet", "metrics.json")) for k in range(rounds + 1)
    ]
    outputs = (*scores[0], at.of_arm(arm, subject, "baselines.parquet"))
    inputs = (*needed, at("cohort/context.parquet"))
    yield Step("round_0", outputs, inputs, study.digest("baselines"), outputs[0], asked=outputs[:1], **of_arm)
    for k in range(1, rounds + 1):
        previous = (at.round(arm, subject, k - 1, "model.safetensors"),) if k > 1 else ()
        outputs = (at.round(arm, subject, k, "model.safetensors"), *scores[k])
        inputs, digest = (*needed, *previous), study.arm_digest(arm)
        yield Step("finetune", outputs, inputs, digest, outputs[1], asked=outputs[:2], **of_arm)
    if study.arms[arm].trains_nulls:
        path = at.of_arm(arm, subject, "nulls.parquet")
        yield Step("nulls", (path,), needed, study.nulls_digest(arm), path, **of_arm)


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
            inputs += [at.features(subject) for subject, _ in mine]
            digest = study.strangers_digest(arm)
            yield Step("strangers", (path,), tuple(inputs), digest, path, arm=arm, ancient=(at.personal,))
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
    cohort = (at(f"cohort/{name}") for name in ("populations.parquet", "flow.json", "characteristics.json"))
    inputs = (*cohort, arms, *generic[1:])
    inputs += (*(tables[name] for name in _SHOWN), *summaries, *explanations)
    figures = (at(f"figures/{name}.svg") for names in SECTION_FIGURES.values() for name in names)
    outputs = (at("report.html"), at("generic/model-card.md"), at("config.yaml"), *figures)
    outputs += tuple(at(f"tables/{name}.csv") for name in STUDY_TABLES)
    inputs += (at("quality/review.html"),)
    settings = (config_text(study),)
    yield Step("study_report", outputs, inputs, study.digest("report"), asked=outputs[:1], parameters=settings)
