"""Gather metrics on test draws, average and test them over patients, and judge whether personalization is real."""

from pathlib import Path

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.evaluation.build_evaluation import EvaluationInputs, write_evaluation

    names = EvaluationInputs.__dataclass_fields__
    inputs = EvaluationInputs(**{name: getattr(snakemake.input, name) for name in names})
    write_evaluation(study_of_job(snakemake.config, snakemake.input), inputs, Path(snakemake.output[0]).parent)
