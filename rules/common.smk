# What the rules call: the study, its paths, and who is in it. The only file with functions.
import sys
from functools import cache
from inspect import signature
from itertools import chain
from pathlib import Path

import yaml

from kalemia.core.paths import SUBJECTS_OF_BATCH, batches_of
from kalemia.core.config import Study, is_url
from kalemia.core.config_validation import check_config
from kalemia.sources.mimic_codes import BODY_TABLE, MORE_TABLES, TABLES
from kalemia.core.errors import UserError
from kalemia.report import PATIENT_FIGURES, SECTION_FIGURES, STUDY_TABLES
from kalemia.core.config_files import config_text
from kalemia.core.schemas import EXPLANATION

with open(workflow.source_path("../workflow/schemas/config.schema.yaml")) as file:
    schema = yaml.safe_load(file)
try:
    check_config(config, schema)
except UserError as error:
    sys.exit(str(error))

study = Study.from_config(config)

# where this is a module with a prefix, Snakemake puts it before paths; scripts are told by the configuration
config = {**config, "results": str(workflow.modifier.modify_path(study.results))}

is_own = study.source.kind == "own"


def out(path):
    """Below the study's results folder."""
    return f"{study.results}/{path}"


def log_of(path):
    """Where a job of this path logs."""
    return out(f"logs/{path}.log")


def time_of(path):
    """Where Snakemake writes how long a job took; the first part is the name of the rule."""
    return out(f"times/{path}.tsv")


def at_hand(function):
    """The same, with its signature at hand: Snakemake asks for it with each job, which takes longer than calling it."""
    function.__signature__ = signature(function)
    return function


@cache
def growing(first):
    """A resource of which every attempt asks for more: a job that was too large or too slow for it is tried again."""
    return at_hand(lambda wildcards, attempt: first * attempt)


def of_arm(digest):
    """The settings of the job's arm that decide what it makes."""
    digest = cache(digest)
    return at_hand(lambda wildcards: digest(wildcards.arm))


def waveforms_marker():
    """What changes when the recordings do: the simulated folder, or a list of them; nothing that is on the web."""
    if is_url(study.waveforms):
        return []
    if is_own:
        return f"{study.waveforms}/recordings.csv"
    folder = f"{study.waveforms}/mimic3wdb-matched"
    return folder if study.is_simulated else f"{folder}/1.0/RECORDS-waveforms"


@cache
def own_files():
    """The files of one's own recordings, by subject."""
    from kalemia.sources.user_recordings import recorded_files

    try:
        return recorded_files(study.waveforms)
    except UserError as error:
        sys.exit(str(error))


def waveforms_of(subjects):
    """As `waveforms_marker`, and of one's own recordings those of a job's subjects too, whose names may hold braces."""
    if not is_own:
        return waveforms_marker()

    def files(wildcards):
        mine = (
            own_files().get(int(subject[1:]), []) for subject in subjects(wildcards)
        )
        return [waveforms_marker(), *chain.from_iterable(mine)]

    return files


def with_own_files(wildcards):
    return map(subject_name, own_files())


def subject_alone(wildcards):
    return [wildcards.subject]


def clinical_table(name):
    """One table of the clinical database."""
    from kalemia.sources.mimic_tables import table_path

    if study.is_simulated or study.has_remote_tables:
        return f"{study.tables_folder}/{name}.csv.gz"
    try:
        return str(table_path(study.tables_folder, name))
    except UserError as error:
        sys.exit(str(error))


def cohort_tables():
    """The tables that the cohort is made from."""
    if is_own:
        return f"{study.tables_folder}/potassium.csv"
    return [clinical_table(name) for name in TABLES]


def people_tables():
    """Who the subjects are; a user's own recordings do not say."""
    return [] if is_own else [clinical_table(n) for n in ("PATIENTS", "ADMISSIONS")]


@cache
def more_tables():
    """The names of the tables that are given beside those that are needed."""
    if study.is_simulated:
        return MORE_TABLES
    if is_own:
        return ()
    if study.has_remote_tables or study.source.more_tables is not None:
        return study.source.more_tables or ()
    from kalemia.sources.mimic_tables import given_tables

    return tuple(given_tables(study.tables_folder, MORE_TABLES))


def body_file():
    """Heights and weights, where they are given."""
    return out("cohort/body.parquet") if BODY_TABLE in more_tables() else []


def treatment_tables():
    """The tables of treatments that are given."""
    return [name for name in more_tables() if name != BODY_TABLE]


def subject_name(subject_id):
    return f"p{subject_id:06d}"


def column_pairs(path, kind, *columns):
    """The rows of two or more columns of a table."""
    from kalemia.core.tables import read_table

    table = read_table(path, kind, list(columns))
    return list(zip(*(table[column].to_pylist() for column in columns)))


@cache
def made_by_cohort():
    """What the checkpoint `cohort` makes, once it is done, which Snakemake takes back as little as this does."""
    return checkpoints.cohort.get().output


@cache
def made_by_populations():
    """What the checkpoint `populations` makes, once it is done."""
    return checkpoints.populations.get().output


def as_written(path):
    """A table and when it was written, so that what is known of it is read once."""
    return path, Path(path).stat().st_mtime_ns


def cohort_batches():
    """Everybody with draws to read, in batches: known once the checkpoint `cohort` is done."""
    return _cohort_batches(*as_written(made_by_cohort().subjects))


@cache
def _cohort_batches(path, changed):
    rows = column_pairs(path, "subjects", "subject_id", "candidate")
    return batches_of([subject_name(subject) for subject, _ in rows])


def batch_of(subject):
    """The number of the batch that a subject is in."""
    path, changed = as_written(made_by_cohort().subjects)
    number = _batch_by_subject(path, changed).get(subject)
    if number is None:
        # said before the exit too: while jobs run Snakemake takes an exit for a Ctrl-C and does not say what it says
        print(f"{subject}: none of its draws is read ({path})", file=sys.stderr)
        sys.exit(1)
    return number


@cache
def _batch_by_subject(path, changed):
    batches = enumerate(_cohort_batches(path, changed))
    return {subject: number for number, batch in batches for subject in batch}


def cohort_subjects():
    """Everybody with draws to read."""
    return [subject for batch in cohort_batches() for subject in batch]


def subjects_of(population):
    """The subjects of a population: known once the checkpoint `populations` is done."""
    path = made_by_populations().populations
    rows = column_pairs(path, "populations", "subject_id", "population")
    return [subject_name(subject) for subject, of in rows if of == population]


def rounds_of_arms():
    """(arm, subject, number of rounds) of every personal patient and arm; known after `populations`.

    Computed here and not read from a file, so that another arm runs no checkpoint again.
    """
    return _rounds_of_arms(*as_written(made_by_populations().personal))


@cache
def _rounds_of_arms(personal_path, changed):
    from kalemia.personal.arms import splits_of_arms

    splits = splits_of_arms(personal_path, study.arms, study.personal, study.seed)
    return tuple(
        (arm, subject_name(subject), len(split.rounds))
        for (arm, subject), split in splits.items()
    )


def possible_arms(subject):
    """(arm, number of rounds) of every arm that is possible for one patient."""
    return _possible_arms(*as_written(made_by_populations().personal)).get(subject, [])


@cache
def _possible_arms(personal_path, changed):
    arms = {}
    for arm, subject, rounds in _rounds_of_arms(personal_path, changed):
        if rounds:
            arms.setdefault(subject, []).append((arm, rounds))
    return arms


def read_decisions():
    """What the review decided, by subject."""
    if study.review.decisions is None:
        return {}
    from kalemia.beats.review_decisions import read_review_decisions

    try:
        return read_review_decisions(study.review.decisions)
    except UserError as error:
        sys.exit(str(error))


# before anything runs, so that a mistake in it is told then
decisions = read_decisions()


@at_hand
def decisions_of_subject(wildcards):
    """What the review decided on the draws of a subject."""
    return str(decisions.get(int(wildcards.subject[1:]), {}))


def decisions_of_batch(wildcards):
    """What the review decided on the draws of a batch, by subject."""
    numbers = (int(subject[1:]) for subject in subjects_of_batch(wildcards))
    return {number: decisions[number] for number in numbers if number in decisions}


def decisions_file(wildcards):
    """The review's decisions, where there is one on the batch."""
    return [study.review.decisions] if decisions_of_batch(wildcards) else []


@at_hand
def excerpts_batch(wildcards):
    """Where the excerpts of a subject's batch are until each subject's own job has taken them."""
    return out(f"excerpts/batch-{batch_of(wildcards.subject)}")


@at_hand
def beats_batch(wildcards):
    return out(f"beats/batch-{batch_of(wildcards.subject)}")


def subjects_of_batch(wildcards):
    return cohort_batches()[int(wildcards.batch)]


def excerpts_of_batch(wildcards):
    return [out(f"excerpts/{s}.parquet") for s in subjects_of_batch(wildcards)]


def group_of_batch(stage):
    """The group in which batches of subjects travel, where the profile says how many subjects share one.

    `group-components` alone merges groups anew whenever the plan is updated, and ends with everybody in one; a group
    that has a name of its own stays as it is.
    """

    def group(wildcards):
        size = workflow.group_settings.group_components.get("subjects")
        if size is None:
            return None
        name = f"{stage}-{int(wildcards.batch) * SUBJECTS_OF_BATCH // size}"
        workflow.parent_groupids[name] = "subjects"
        return name

    return group


def cohort_quality(wildcards):
    return [out(f"beats/{subject}.quality.parquet") for subject in cohort_subjects()]


def cohort_excerpts(wildcards):
    return [out(f"excerpts/{subject}.parquet") for subject in cohort_subjects()]


def generic_shards(wildcards):
    return [out(f"beats/{subject}.parquet") for subject in subjects_of("generic")]


def round_folder(arm, subject, k):
    return out(f"personal/{arm}/{subject}/round-{k}")


def round_files(name):
    """A file of every round of every patient and arm, round 0 included where the arm is possible."""

    def files(wildcards):
        return [
            f"{round_folder(arm, subject, k)}/{name}"
            for arm, subject, rounds in rounds_of_arms()
            if rounds
            for k in range(rounds + 1)
        ]

    return files


def possible(arm):
    """The patients for whom an arm is possible, and their number of rounds."""
    return [
        (subject, rounds)
        for of, subject, rounds in rounds_of_arms()
        if of == arm and rounds
    ]


def arm_files(name):
    """A file of every patient for whom the arm is possible."""
    return lambda wildcards: [
        out(f"personal/{wildcards.arm}/{subject}/{name}")
        for subject, _ in possible(wildcards.arm)
    ]


def shards_of_arm(wildcards):
    return [out(f"beats/{subject}.parquet") for subject, _ in possible(wildcards.arm)]


def features_of_arm(wildcards):
    subjects = [subject for subject, _ in possible(wildcards.arm)]
    return [out(f"features/{subject}.safetensors") for subject in subjects]


def last_rounds_of_arm(wildcards):
    return [
        f"{round_folder(wildcards.arm, subject, rounds)}/model.safetensors"
        for subject, rounds in possible(wildcards.arm)
    ]


def files_of_arms(name):
    """A file of every arm and patient for whom the arm is possible."""
    return lambda wildcards: [
        out(f"personal/{arm}/{subject}/{name}")
        for arm, subject, rounds in rounds_of_arms()
        if rounds
    ]


def null_files(wildcards):
    """The nulls of every arm that has some."""
    trained = [
        out(f"personal/{arm}/{subject}/nulls.parquet")
        for arm, subject, rounds in rounds_of_arms()
        if rounds and study.arms[arm].trains_nulls
    ]
    strangers = [
        out(f"personal/{arm}/strangers.parquet")
        for arm, settings in study.arms.items()
        if settings.nulls.get("stranger") and possible(arm)
    ]
    return trained + strangers


def round_weights(wildcards):
    """The weights of every round but round 0, which has none of its own."""
    return [
        f"{round_folder(arm, subject, k)}/model.safetensors"
        for arm, subject, rounds in rounds_of_arms()
        for k in range(1, rounds + 1)
    ]


@at_hand
def previous_weights(wildcards):
    """What a round starts from: the generic network for the first, the round before otherwise."""
    k = int(wildcards.k)
    if k == 1:
        return out("generic/model.safetensors")
    return f"{round_folder(wildcards.arm, wildcards.subject, k - 1)}/model.safetensors"


def last_rounds(wildcards):
    """The last weights of one patient in every arm that is possible for the patient."""
    return [
        f"{round_folder(arm, wildcards.subject, rounds)}/model.safetensors"
        for arm, rounds in possible_arms(wildcards.subject)
    ]


@at_hand
def splits_of_subject(wildcards):
    return [out(f"personal/{arm}/{wildcards.subject}/split.json") for arm in study.arms]


def predictions_of_subject(wildcards):
    return [
        f"{round_folder(arm, wildcards.subject, k)}/predictions.parquet"
        for arm, rounds in possible_arms(wildcards.subject)
        for k in range(rounds + 1)
    ]


def explanation_files(subject):
    return [out(f"explanation/{subject}/{kind}.parquet") for kind in EXPLANATION]


def explanation_of_subject(wildcards):
    """The explanation of a patient for whom some arm is possible."""
    return explanation_files(wildcards.subject) if last_rounds(wildcards) else []


def explanations(wildcards):
    """The explanations of every patient for whom some arm is possible."""
    possible = sorted({subject for _, subject, rounds in rounds_of_arms() if rounds})
    return [path for subject in possible for path in explanation_files(subject)]


def patient_figures():
    return [out(f"patients/{{subject}}/{name}.svg") for name in PATIENT_FIGURES]


def of_patients(path):
    """A file of every personal patient."""
    return lambda wildcards: [
        out(path.format(subject=subject)) for subject in subjects_of("personal")
    ]
