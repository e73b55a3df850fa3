"""Collect the beats of the generic patients in one file."""

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.beats.generic_beats import write_generic_beats

    study = Study.from_config(snakemake.config)
    write_generic_beats(snakemake.input.shards, study.digest("generic_beats"), snakemake.output[0])
