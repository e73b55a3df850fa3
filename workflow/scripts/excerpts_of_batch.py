"""Read one lead of the minutes before each draw of each subject of a batch."""

import time

from kalemia.core.files.unchanged import unchanged_files
from kalemia.core.jobs import error_context, job_log, log_and_print

with job_log(snakemake.log[0], snakemake.rule), unchanged_files(snakemake.input):
    from kalemia.beats.excerpts import write_excerpts
    from kalemia.cohort.select_cohort import count_draws_to_read
    from kalemia.core.files.atomic import atomic_folder
    from kalemia.core.paths import subject_id
    from kalemia.core.runs.digests import study_of_job
    from kalemia.sources.registry import describe_source
    from kalemia.sources.remote.fetch_progress import record_progress

    study, draws, fetched_before = study_of_job(snakemake.config, snakemake.input), snakemake.input.draws, 0
    lead, minutes, digest = study.cohort.lead, study.cohort.min_recorded_minutes, study.digest("excerpts")
    description = describe_source(study)
    source, tally = description.open(), f"{study.cache_folder}/tally"
    with atomic_folder(snakemake.output[0]) as folder:
        for subject in snakemake.params.subjects:
            number = subject_id(subject)
            with error_context(subject):
                write_excerpts(source, draws, number, lead, minutes, digest, folder / f"{subject}.parquet")
            if description.downloads_recordings:
                n_draws, n_total = count_draws_to_read(draws, number)
                fetched, fetched_before = source.fetched_bytes - fetched_before, source.fetched_bytes
                log_and_print(record_progress(tally, number, n_draws, fetched, n_total, time.time()))
