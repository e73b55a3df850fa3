"""Collect heights and weights."""

from kalemia.core.config import Study
from kalemia.core.files.unchanged import unchanged_files
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule), unchanged_files(snakemake.input):
    from kalemia.cohort.height_weight import write_heights_and_weights
    from kalemia.sources.registry import describe_source

    study = Study.from_config(snakemake.config)
    write_heights_and_weights(describe_source(study).tables_folder, study.digest("height_weight"), snakemake.output[0])
