"""Train the network of one patient on shuffled or shifted labels or other ECG, one chunk of the arm's runs."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.nulls import write_nulls

    study, arm, chunk = (
        study_of_job(snakemake.config, snakemake.input),
        snakemake.wildcards.arm,
        snakemake.wildcards.chunk,
    )
    write_nulls(
        split_path=snakemake.input.split,
        shard_path=snakemake.input.shard,
        features_path=snakemake.input.features,
        generic_path=snakemake.input.generic,
        network=study.network,
        personal=study.personal,
        arm=study.arms[arm],
        repeats=study.arms[arm].null_chunks.get(chunk, {}),
        seed=study.seed,
        digest=study.nulls_digest(arm, chunk),
        decision=study.evaluation.decision,
        path=snakemake.output[0],
    )
