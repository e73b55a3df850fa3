"""Collect what was known about the patient at each draw, apart from the ECG."""

from kalemia.core.files.unchanged import unchanged_files
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule), unchanged_files(snakemake.input):
    from kalemia.cohort.clinical_context import write_context
    from kalemia.core.runs.digests import study_of_job
    from kalemia.sources.registry import describe_source

    study = study_of_job(snakemake.config, snakemake.input)
    write_context(
        draws_path=snakemake.input.draws,
        quality_paths=snakemake.input.quality,
        tables=describe_source(study).clinical_folder,
        available=snakemake.params.available,
        context=study.context,
        digest=study.digest("context"),
        path=snakemake.output[0],
    )
