"""Train the generic network on the beats of many patients."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.network.train_generic import train_generic

    study = study_of_job(snakemake.config, snakemake.input)
    train_generic(
        draws_path=snakemake.input.draws,
        beats_path=snakemake.input.beats,
        network=study.network,
        settings=study.generic,
        seed=study.seed,
        digest=study.digest("generic"),
        decision=study.evaluation.decision,
        model_path=snakemake.output.model,
        history_path=snakemake.output.history,
        predictions_path=snakemake.output.predictions,
        metrics_path=snakemake.output.metrics,
    )
