"""Gather heights and weights."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.body import write_body

    study = Study.from_config(snakemake.config)
    write_body(study.tables_folder, study.digest("body"), snakemake.output[0])
