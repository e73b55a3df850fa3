"""Split the draws of one patient by the protocol of an arm, and audit what both parts share."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.arms import write_subject_split

    study, arm = study_of_job(snakemake.config, snakemake.input), snakemake.wildcards.arm
    write_subject_split(
        quality_path=snakemake.input.quality,
        shard_path=snakemake.input.shard,
        arm_name=arm,
        arm=study.arms[arm],
        personal=study.personal,
        seed=study.seed,
        digest=study.split_digest(arm),
        path=snakemake.output[0],
    )
