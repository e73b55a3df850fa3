"""List every recording and draw that could not be used, with the reason."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.cohort.exclusion_ledger import write_ledger, write_ledger_csv
    from kalemia.cohort.subject_names import read_subject_names
    from kalemia.core.runs.digests import study_of_job
    from kalemia.core.tables import read_table

    study_of_job(snakemake.config, snakemake.input)
    write_ledger(
        draws_path=snakemake.input.draws,
        unreadable_path=snakemake.input.unreadable,
        excerpts_paths=snakemake.input.excerpts,
        quality_paths=snakemake.input.quality,
        path=snakemake.output.table,
    )
    write_ledger_csv(
        path=snakemake.output.csv,
        ledger=read_table(snakemake.output.table, "ledger"),
        names=read_subject_names(snakemake.input.names),
    )
