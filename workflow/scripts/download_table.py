"""Download one clinical table and check its published SHA-256."""

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.sources.registry import describe_source
    from kalemia.sources.remote.download_tables import credentials, download_table, download_unlisted_table
    from kalemia.sources.remote.http_files import Web

    study = Study.from_config(snakemake.config)
    source = study.source
    auth = credentials(source.tables, source.credentials_host)
    web = Web(source.tables, source.max_attempts, source.timeout_s, auth=auth)
    description = describe_source(study)
    name, path = description.published_name(snakemake.wildcards.table), snakemake.output[0]
    if description.publishes_sums:
        download_table(web, name, study.cache_folder, path)
    else:
        download_unlisted_table(web, name, path)
