"""Show the excerpts that lie nearest the thresholds."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.report.review_page import write_review

    write_review(
        quality_paths=snakemake.input.quality,
        excerpts_folder=snakemake.params.excerpts,
        study=Study.from_config(snakemake.config),
        path=snakemake.output[0],
    )
