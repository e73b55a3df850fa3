"""Match every draw with a recording, and choose the draws to read."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.cohort import write_cohort
    from kalemia.sources.opened import open_source

    study = Study.from_config(snakemake.config)
    write_cohort(
        source=open_source(study.source, study.waveforms, study.tables_folder, study.cache_folder),
        analyte=study.analyte,
        cohort=study.cohort,
        populations=study.populations,
        seed=study.seed,
        digest=study.digest("cohort"),
        draws_path=snakemake.output.draws,
        subjects_path=snakemake.output.subjects,
        unreadable_path=snakemake.output.unreadable,
    )
