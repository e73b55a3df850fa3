# What the rules call: the study, its paths and its subjects. Only what needs Snakemake is here; the rest is in the library.
import sys
from contextlib import suppress
from functools import cache
from inspect import signature
from pathlib import Path

from kalemia.beats.review_decisions import read_review_decisions
from kalemia.core.config import ROLLING, Study
from kalemia.core.config_files import check_arguments, config_text, read_config
from kalemia.core.config_validation import check_config
from kalemia.core.errors import UserError, exit_on_user_error
from kalemia.core.job_server import start_server
from kalemia.core.paths import SUBJECTS_PER_BATCH, ResultPaths, subject_id
from kalemia.core.schemas import EVALUATION, EXPLANATION
from kalemia.evaluation.claims.closing_lines import closing_lines
from kalemia.personal.study_subjects import SubjectIndex
from kalemia.report.outputs import PATIENT_FIGURES, SECTIONS, STUDY_TABLES
from kalemia.sources.mimic_codes import HEIGHT_WEIGHT_TABLE, OPTIONAL_TABLES, TABLES
from kalemia.sources.registry import describe_source

if (
    workflow.modifier.skip_configfile
):  # used as a module, whose configuration another workflow gives
    exit_on_user_error(check_config, config)
else:
    exit_on_user_error(check_arguments, sys.argv)
    given = workflow.config_settings
    config = exit_on_user_error(
        read_config, Path("config.yaml"), given.configfiles, given.config_args or ()
    )
LONGEST_JOB = (
    1440  # minutes; a generic training that needs more goes on after its last epoch
)

study = Study.from_config(config)
source = describe_source(study)
exit_on_user_error(source.check)
if study.generic.model and workflow.is_main_process:
    from kalemia.models.import_generic import check_import

    exit_on_user_error(check_import, study)
subjects = SubjectIndex(study)
result_path = ResultPaths(study.results)

# used as a module with a prefix, Snakemake puts the prefix before the paths in rules; scripts read it from the configuration
config = {**config, "results": str(workflow.modifier.modify_path(study.results))}


def log_path(path):
    return result_path(f"logs/{path}.log")


def with_cached_signature(function):
    """Store the signature of a function: Snakemake inspects it for every job, a tenth of a plan of 5,400 subjects."""
    function.__signature__ = signature(function)
    return function


@cache
def scale_with_attempt(base):
    """A resource that grows with each attempt, so that a job that ran out of it succeeds when it is tried again."""
    return with_cached_signature(lambda wildcards, attempt: base * attempt)


partition_minutes = {}  # of a rule on SLURM, how long its partition lets a job run


@cache
def time_limit(minutes):
    """As `scale_with_attempt`, but a day at most, and no more than the partition gives."""

    def limit(wildcards, attempt, rulename):
        return min(
            minutes * attempt, LONGEST_JOB, partition_minutes.get(rulename, LONGEST_JOB)
        )

    return with_cached_signature(limit)


def arm_param(digest, *others):
    """The digest of the settings of a job's arm, and of what other wildcards name of it."""
    digest = cache(digest)
    return with_cached_signature(
        lambda wildcards: digest(wildcards.arm, *(wildcards[name] for name in others))
    )


def recording_files(subjects=lambda wildcards: None):
    """Input function: files that change when recordings do; a function, because their names may hold braces."""
    return with_cached_signature(
        lambda wildcards: exit_on_user_error(source.input_files, subjects(wildcards))
    )


def if_there(path):
    """Input function: a file that no job makes, if it exists."""
    return lambda wildcards: [path] if Path(path).exists() else []


def model_files(wildcards):
    """The files of the model folder from which the generic network is imported."""
    return [
        f"{study.generic.model}/{name}" for name in ("config.json", "model.safetensors")
    ]


def this_subject(wildcards):
    return [wildcards.subject]


# read before anything runs, so that a mistake in the tables or in the review's file ends Snakemake at once
cohort_tables = exit_on_user_error(source.cohort_tables)
people_tables = exit_on_user_error(source.people_tables)
treatment_tables = [n for n in source.optional_tables() if n != HEIGHT_WEIGHT_TABLE]
has_heights_and_weights = HEIGHT_WEIGHT_TABLE in source.optional_tables()


decisions = exit_on_user_error(
    read_review_decisions, study.review.decisions, study.cohort.window_minutes
)


@cache
def cohort_outputs():
    """The outputs of the checkpoint `cohort`; cached, because a checkpoint that is done stays done."""
    return checkpoints.cohort.get().output


@cache
def population_outputs():
    return checkpoints.populations.get().output


def subjects_of_batch(wildcards):
    return subjects.batches(cohort_outputs().subjects)[int(wildcards.batch)]


def batch_of_subject(stage):
    """Input function: the folder of a batch, which is there until the job of each subject has taken its files."""

    def folder(wildcards):
        path = cohort_outputs().subjects
        number = exit_on_user_error(subjects.batch_number, path, wildcards.subject)
        return result_path(f"{stage}/batch-{number}")

    return with_cached_signature(folder)


def group_of_batch(stage):
    """The group of a batch, if the profile says how many subjects share one.

    `group-components` alone merges groups again at every update of the plan, until one group holds everybody; a group
    with a name of its own stays as it is.
    """

    def group(wildcards):
        size = workflow.group_settings.group_components.get("subjects")
        if size is None:
            return None
        name = f"{stage}-{int(wildcards.batch) * SUBJECTS_PER_BATCH // size}"
        workflow.parent_groupids[name] = "subjects"
        return name

    return group


@with_cached_signature
def decisions_of_subject(wildcards):
    """The review's decisions on the draws of a subject."""
    return str(decisions.get(subject_id(wildcards.subject), {}))


def decisions_of_batch(wildcards):
    """The review's decisions on the draws of a batch, by subject."""
    numbers = map(subject_id, subjects_of_batch(wildcards))
    return {number: decisions[number] for number in numbers if number in decisions}


def decisions_file(wildcards):
    """The file of the review's decisions, if it has some on the batch."""
    return [study.review.decisions] if decisions_of_batch(wildcards) else []


def per_subject(path_of):
    """Input function: a file of everybody with draws to read; waits for the checkpoint `cohort`."""
    return lambda wildcards: [
        path_of(subject)
        for batch in subjects.batches(cohort_outputs().subjects)
        for subject in batch
    ]


def per_batch_subject(path_of):
    return lambda wildcards: list(map(path_of, subjects_of_batch(wildcards)))


def per_population(population, path_of):
    """Input function: a file of everybody in a population; waits for the checkpoint `populations`."""
    return lambda wildcards: [
        path_of(subject)
        for subject, of in subjects.populations(
            population_outputs().populations
        ).items()
        if of == population
    ]


def per_patient(path_of):
    return per_population("personal", path_of)


def evaluable_rounds(wildcards):
    """The rounds of every evaluable patient and arm.

    Computed from the draws instead of read from a file, so that adding an arm runs no checkpoint again.
    """
    return subjects.evaluable_rounds(population_outputs().personal)


def evaluable_patients(wildcards):
    """The rounds of every patient that is evaluable in the job's arm."""
    return [row for row in evaluable_rounds(wildcards) if row.arm == wildcards.arm]


def evaluable_arms(wildcards):
    """The rounds of the job's patient in every arm in which the patient is evaluable."""
    path = population_outputs().personal
    return subjects.evaluable_arms(path, wildcards.subject)


def files_of(rounds, list_files, *arguments):
    """Input function: files of the rounds that one of the three functions above gives."""
    return lambda wildcards: list_files(rounds(wildcards), *arguments)


@with_cached_signature
def previous_weights(wildcards):
    """The weights that a round starts from: those of the generic network for the first, of the round before otherwise."""
    k = int(wildcards.k)
    if k == 1:
        return result_path("generic/model.safetensors")
    arm, subject = wildcards.arm, wildcards.subject
    return result_path.round_file(arm, subject, k - 1, "model.safetensors")


@with_cached_signature
def earlier_predictions(wildcards):
    """Under the protocol `rolling`, the predictions of the round before, which a round keeps."""
    arm, subject, k = wildcards.arm, wildcards.subject, int(wildcards.k)
    if study.arms[arm].protocol != ROLLING or k == 1:
        return []
    return result_path.round_file(arm, subject, k - 1, "predictions.parquet")


@with_cached_signature
def splits_of_subject(wildcards):
    subject = wildcards.subject
    return [result_path.arm_file(arm, subject, "split.json") for arm in study.arms]
