"""Gather every round's metrics on its test draws, and average them over patients."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.evaluation import write_rounds, write_summary

    study = Study.from_config(snakemake.config)
    write_rounds(snakemake.input.predictions, snakemake.output.rounds, study.digest("evaluation"))
    write_summary(
        rounds_path=snakemake.output.rounds,
        generic_metrics_path=snakemake.input.generic,
        arms_path=snakemake.input.arms,
        arms=study.arms,
        path=snakemake.output.summary,
        is_simulated=study.is_simulated,
    )
