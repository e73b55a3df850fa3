"""Pass the beats of one patient through the frozen stages of the generic network, once."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.frozen_stages import write_features

    study = study_of_job(snakemake.config, snakemake.input)
    write_features(
        shard_path=snakemake.input.shard,
        generic_path=snakemake.input.generic,
        network=study.network,
        n_trained_stages=study.personal.n_trained_stages,
        threads=study.personal.threads,
        path=snakemake.output[0],
    )
