"""Score one patient's draws with the generic network."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.personal import score_generic

    study = Study.from_config(snakemake.config)
    score_generic(
        split_path=snakemake.input.split,
        shard_path=snakemake.input.shard,
        generic_path=snakemake.input.generic,
        network=study.network,
        digest=study.arm_digest(snakemake.wildcards.arm),
        decision=study.evaluation.decision,
        threads=study.personal.threads,
        predictions_path=snakemake.output.predictions,
        metrics_path=snakemake.output.metrics,
    )
