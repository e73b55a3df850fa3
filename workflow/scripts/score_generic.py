"""Score the draws of one patient with the generic network and with every baseline."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.score_generic import score_generic

    study = study_of_job(snakemake.config, snakemake.input)
    score_generic(
        split_path=snakemake.input.split,
        shard_path=snakemake.input.shard,
        features_path=snakemake.input.features,
        generic_path=snakemake.input.generic,
        context_path=snakemake.input.context,
        mixed_model_path=snakemake.input.get("mixed_model") or None,
        network=study.network,
        positive=study.analyte.positive,
        decision=study.evaluation.decision,
        digest=study.digest("baselines"),
        predictions_path=snakemake.output.predictions,
        metrics_path=snakemake.output.metrics,
        baselines_path=snakemake.output.baselines,
    )
