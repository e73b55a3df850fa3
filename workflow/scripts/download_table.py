"""Download one clinical table and check its published SHA-256."""

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.sources.registry import describe_source
    from kalemia.sources.remote.download_tables import download_study_table, tables_web

    source = describe_source(Study.from_config(snakemake.config))
    download_study_table(tables_web(source.study), source, snakemake.wildcards.table, snakemake.output[0])
