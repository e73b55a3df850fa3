"""Import the generic network from a model folder."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.config import Study
    from kalemia.models.import_generic import import_generic

    study = Study.from_config(snakemake.config)
    import_generic(
        study=study,
        shares_draw_ids=snakemake.params.shares_draw_ids,
        model_path=snakemake.output.model,
        history_path=snakemake.output.history,
        predictions_path=snakemake.output.predictions,
        metrics_path=snakemake.output.metrics,
        comparators_path=snakemake.output.comparators,
    )
