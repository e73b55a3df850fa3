"""Gather metrics on test draws, average them over patients, and judge whether personalization is real."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.evaluation import write_rounds, write_summary
    from kalemia.gathering import write_baselines, write_leakage, write_nulls
    from kalemia.verdict import write_verdict

    study, paths, out = Study.from_config(snakemake.config), snakemake.input, snakemake.output
    digest = study.digest("evaluation")
    write_rounds(paths.predictions, out.rounds, digest)
    write_baselines(paths.baselines, paths.splits, paths.predictions, out.baselines, digest)
    write_nulls(paths.nulls, out.nulls, digest)
    write_leakage(paths.splits, paths.predictions, out.leakage, out.distances, digest)
    write_summary(out.rounds, paths.generic, paths.arms, study.arms, out.summary, study.is_simulated)
    write_verdict(out.rounds, out.baselines, out.nulls, study.arms, study.seed, out.verdict)
