"""Score the test draws of every patient with the last networks of other patients."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.cross_patient import write_strangers

    study, arm = study_of_job(snakemake.config, snakemake.input), snakemake.wildcards.arm
    write_strangers(
        split_paths=snakemake.input.splits,
        shard_paths=snakemake.input.shards,
        features_paths=snakemake.input.features,
        round_paths=snakemake.input.rounds,
        generic_path=snakemake.input.generic,
        network=study.network,
        personal=study.personal,
        arm=study.arms[arm],
        seed=study.seed,
        digest=study.strangers_digest(arm),
        decision=study.evaluation.decision,
        path=snakemake.output[0],
    )
