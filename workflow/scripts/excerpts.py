"""Read one lead of the minutes before each draw of each subject of a batch."""

import time

from kalemia.core.config import Study, is_url
from kalemia.core.jobs import error_context, job_log, log_and_print

with job_log(snakemake.log[0]):
    from kalemia.beats.excerpts import write_excerpts
    from kalemia.cohort.select_cohort import count_draws_to_read
    from kalemia.core.tables import whole_folder
    from kalemia.sources.fetch_progress import tallied
    from kalemia.sources.source_factory import open_source

    study, draws, fetched_before = Study.from_config(snakemake.config), snakemake.input.draws, 0
    lead, minutes, digest = study.cohort.lead, study.cohort.min_recorded_minutes, study.digest("excerpts")
    source = open_source(study.source, study.waveforms, study.tables_folder, study.cache_folder)
    with whole_folder(snakemake.output[0]) as folder:
        for subject in snakemake.params.subjects:
            path, subject_id = folder / f"{subject}.parquet", int(subject[1:])
            with error_context(subject):
                write_excerpts(source, draws, subject_id, lead, minutes, digest, path)
            if is_url(study.waveforms):
                mine, of_all = count_draws_to_read(draws, subject_id)
                fetched, fetched_before = source.fetched_bytes - fetched_before, source.fetched_bytes
                log_and_print(tallied(f"{study.cache_folder}/tally", subject_id, mine, fetched, of_all, time.time()))
