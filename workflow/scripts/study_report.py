"""Draw the study's figures and write its page."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.core.tables import write_text
    from kalemia.report.study_page import write_page
    from kalemia.report.write_outputs import write_csv_tables, write_study_figures

    study = study_of_job(snakemake.config, snakemake.input)
    write_study_figures(study, study.results)
    write_csv_tables(study.results)
    write_page(snakemake.output.page, study, study.results)
    write_text(snakemake.output.settings, snakemake.params.settings)
