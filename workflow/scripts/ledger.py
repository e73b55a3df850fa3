"""List every recording and draw that could not be used, with the reason."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.cohort.exclusion_ledger import write_ledger
    from kalemia.core.runs.digests import study_of_job

    study_of_job(snakemake.config, snakemake.input)
    write_ledger(
        draws_path=snakemake.input.draws,
        unreadable_path=snakemake.input.unreadable,
        excerpts_paths=snakemake.input.excerpts,
        quality_paths=snakemake.input.quality,
        path=snakemake.output[0],
    )
