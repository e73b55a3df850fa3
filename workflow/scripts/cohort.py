"""Match every draw with a recording and select the draws to read."""

from kalemia.core.config import Study
from kalemia.core.files.unchanged import unchanged_files
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule), unchanged_files(snakemake.input):
    from kalemia.cohort.select_cohort import write_cohort
    from kalemia.cohort.subject_names import write_subject_names
    from kalemia.sources.registry import describe_source

    study = Study.from_config(snakemake.config)
    source = describe_source(study)
    write_subject_names(snakemake.output.names, source.subject_names(), study.digest("cohort"))
    write_cohort(
        source=source.open(),
        analyte=study.analyte,
        cohort=study.cohort,
        populations=study.populations,
        seed=study.seed,
        digest=study.digest("cohort"),
        draws_path=snakemake.output.draws,
        subjects_path=snakemake.output.subjects,
        unreadable_path=snakemake.output.unreadable,
    )
