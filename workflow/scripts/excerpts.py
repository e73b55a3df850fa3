"""Read one lead of the minutes before each draw of one subject."""

import time

from kalemia.config import Study, is_url
from kalemia.joblog import job_log, say

with job_log(snakemake.log[0]):
    from kalemia.cohort import draws_to_read
    from kalemia.excerpts import write_excerpts
    from kalemia.sources.opened import open_source
    from kalemia.sources.tally import tallied

    study = Study.from_config(snakemake.config)
    subject_id = int(snakemake.wildcards.subject[1:])
    source = open_source(study.source, study.waveforms, study.tables_folder, study.cache_folder)
    write_excerpts(
        source=source,
        draws_path=snakemake.input.draws,
        subject_id=subject_id,
        lead=study.cohort.lead,
        min_recorded_minutes=study.cohort.min_recorded_minutes,
        digest=study.digest("excerpts"),
        path=snakemake.output[0],
    )
    if is_url(study.waveforms):
        mine, of_all = draws_to_read(snakemake.input.draws, subject_id)
        tally = f"{study.cache_folder}/tally"
        say(tallied(tally, subject_id, mine, source.fetched_bytes, of_all, time.time()))
