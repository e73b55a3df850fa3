"""Draw the study's figures and write its page."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.report.csv_tables import write_csv_tables
    from kalemia.report.figures import write_study_figures
    from kalemia.report.page import write_page
    from kalemia.tables import write_text

    study = Study.from_config(snakemake.config)
    write_study_figures(study, study.results)
    write_csv_tables(study.results)
    write_page(snakemake.output.page, study, study.results)
    write_text(snakemake.output.settings, snakemake.params.settings)
