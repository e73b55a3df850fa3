"""Collect the beats of the generic patients in one file."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.beats.generic_beats import write_generic_beats
    from kalemia.core.runs.digests import study_of_job

    study = study_of_job(snakemake.config, snakemake.input)
    write_generic_beats(snakemake.input.shards, study.digest("generic_beats"), snakemake.output[0])
