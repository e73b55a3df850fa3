"""Determine the number of fine-tuning rounds for each patient and arm."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.arms import write_arms

    study = study_of_job(snakemake.config, snakemake.input)
    write_arms(
        personal_path=snakemake.input[0],
        arms=study.arms,
        personal=study.personal,
        seed=study.seed,
        digest=study.digest("count_rounds"),
        path=snakemake.output[0],
    )
