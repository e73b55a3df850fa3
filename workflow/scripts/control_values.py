"""Find the value of another analyte nearest to each draw of the personal candidates."""

from kalemia.core.files.unchanged import unchanged_files
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule), unchanged_files(snakemake.input):
    from kalemia.cohort.control_values import write_control_values
    from kalemia.core.runs.digests import study_of_job
    from kalemia.sources.registry import describe_source

    study = study_of_job(snakemake.config, snakemake.input)
    write_control_values(
        source=describe_source(study).open(),
        control=snakemake.wildcards.control,
        draws_path=snakemake.input.draws,
        digest=study.digest("control_values"),
        path=snakemake.output[0],
    )
