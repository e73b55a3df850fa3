"""Register what decides about the claims, before any network is trained."""

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.evaluation.claims.registration import register_claims

    register_claims(Study.from_config(snakemake.config), snakemake.params.model, snakemake.output[0])
