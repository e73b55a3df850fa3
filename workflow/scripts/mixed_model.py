"""Fit a mixed model of the ECG's measures over the generic patients."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.beats.generic_mixed_model import write_generic_mixed_model
    from kalemia.core.runs.digests import study_of_job

    study = study_of_job(snakemake.config, snakemake.input)
    write_generic_mixed_model(snakemake.input[0], study.digest("mixed_model"), snakemake.output[0])
