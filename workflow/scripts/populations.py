"""Assign subjects to the generic and the personal population."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.cohort.inclusion_flow import step_descriptions
    from kalemia.cohort.populations import write_populations
    from kalemia.core.runs.digests import study_of_job

    study = study_of_job(snakemake.config, snakemake.input)
    write_populations(
        draws_path=snakemake.input.draws,
        quality_paths=snakemake.input.quality,
        populations=study.populations,
        step_descriptions=step_descriptions(study.analyte, study.cohort, study.populations),
        seed=study.seed,
        imports_generic=study.generic.model is not None,
        digest=study.digest("populations"),
        populations_path=snakemake.output.populations,
        generic_path=snakemake.output.generic,
        personal_path=snakemake.output.personal,
        outcomes_path=snakemake.output.outcomes,
        flow_path=snakemake.output.flow,
    )
