"""Score the test draws of the generic network with simpler means that learn from the same people."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.runs.digests import study_of_job
    from kalemia.evaluation.between_patients.comparators import write_comparators

    study = study_of_job(snakemake.config, snakemake.input)
    write_comparators(
        predictions_path=snakemake.input.predictions,
        beats_path=snakemake.input.beats,
        positive=study.analyte.positive,
        digest=study.digest("comparators"),
        path=snakemake.output[0],
    )
