"""Train networks of one patient on another analyte, on its own labels and on shifted ones."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.personal.controls.control_runs import write_control_runs

    study, names = study_of_job(snakemake.config, snakemake.input), snakemake.wildcards
    write_control_runs(
        control=names.control,
        values_path=snakemake.input.values,
        split_path=snakemake.input.split,
        shard_path=snakemake.input.shard,
        features_path=snakemake.input.features,
        generic_path=snakemake.input.generic,
        network=study.network,
        personal=study.personal,
        arm=study.arms[names.arm],
        n_shifted=study.n_shifted_controls,
        seed=study.seed,
        digest=study.controls_digest(names.arm, names.control),
        decision=study.evaluation.decision,
        path=snakemake.output[0],
    )
