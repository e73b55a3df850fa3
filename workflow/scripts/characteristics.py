"""Describe both populations, as in the paper's Table 1, and list everybody's age and gender."""

from kalemia.core.files.unchanged import unchanged_files
from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule), unchanged_files(snakemake.input):
    from kalemia.cohort.characteristics import write_characteristics, write_people
    from kalemia.core.runs.digests import study_of_job
    from kalemia.sources.registry import describe_source

    study = study_of_job(snakemake.config, snakemake.input)
    people = describe_source(study).people()
    write_people(people, snakemake.input.draws, study.digest("characteristics"), snakemake.output.people)
    write_characteristics(
        people=people,
        body_path=snakemake.input.body or None,
        populations_path=snakemake.input.populations,
        quality_paths=snakemake.input.quality,
        generic_path=snakemake.input.generic,
        path=snakemake.output.characteristics,
    )
