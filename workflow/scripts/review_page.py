"""Show the excerpts closest to the thresholds."""

from kalemia.core.config import Study
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.report.review_page import write_review

    study = Study.from_config(snakemake.config)
    write_review(
        quality_paths=snakemake.input.quality,
        excerpts_folder=f"{study.results}/excerpts",
        study=study,
        path=snakemake.output[0],
    )
