"""Decide who is generic and who is personal."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.flow import rules_in_words
    from kalemia.populations import write_populations

    study = Study.from_config(snakemake.config)
    write_populations(
        draws_path=snakemake.input.draws,
        quality_paths=snakemake.input.quality,
        populations=study.populations,
        rules=rules_in_words(study.analyte, study.cohort, study.populations),
        seed=study.seed,
        digest=study.digest("populations"),
        populations_path=snakemake.output.populations,
        generic_path=snakemake.output.generic,
        personal_path=snakemake.output.personal,
        flow_path=snakemake.output.flow,
    )
