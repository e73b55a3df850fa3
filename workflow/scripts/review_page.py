"""Show the excerpts closest to the thresholds."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.cohort.subject_names import read_subject_names
    from kalemia.core.runs.digests import study_of_job
    from kalemia.report.review_page import write_review

    study = study_of_job(snakemake.config, snakemake.input)
    write_review(
        quality_paths=snakemake.input.quality,
        excerpts_folder=f"{study.results}/excerpts",
        names=read_subject_names(snakemake.input.names),
        study=study,
        path=snakemake.output[0],
    )
