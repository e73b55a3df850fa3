"""Read one lead of the minutes before each draw of one subject."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.excerpts import write_excerpts
    from kalemia.sources.opened import open_source

    study = Study.from_config(snakemake.config)
    write_excerpts(
        source=open_source(study.source, study.waveforms, study.tables_folder, study.cache_folder),
        draws_path=snakemake.input.draws,
        subject_id=int(snakemake.wildcards.subject[1:]),
        lead=study.cohort.lead,
        min_recorded_minutes=study.cohort.min_recorded_minutes,
        digest=study.digest("excerpts"),
        path=snakemake.output[0],
    )
