"""Train the network of one patient on one more pair of draws."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.finetune import train_round

    study, arm, k = study_of_job(snakemake.config, snakemake.input), snakemake.wildcards.arm, int(snakemake.wildcards.k)
    train_round(
        round_=k,
        split_path=snakemake.input.split,
        shard_path=snakemake.input.shard,
        features_path=snakemake.input.features,
        generic_path=snakemake.input.generic,
        previous_path=snakemake.input.previous if k > 1 else None,
        network=study.network,
        arm=study.arms[arm],
        personal=study.personal,
        seed=study.seed,
        digest=study.arm_digest(arm),
        decision=study.evaluation.decision,
        model_path=snakemake.output.model,
        predictions_path=snakemake.output.predictions,
        metrics_path=snakemake.output.metrics,
        earlier_path=snakemake.input.get("earlier") or None,
    )
