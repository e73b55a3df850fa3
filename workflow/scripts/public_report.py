"""Write the page of a study that may be shared."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.report.public.page import write_public_page

    study = study_of_job(snakemake.config, snakemake.input)
    write_public_page(snakemake.output[0], study, study.results)
