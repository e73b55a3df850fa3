"""Average the beats of one patient's draws, draw the patient's figures and write the page."""

from kalemia.core.jobs import job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.beats.mean_beats import write_mean_beats
    from kalemia.core.runs.digests import study_of_job
    from kalemia.report.patient_page import write_patient_page
    from kalemia.report.write_outputs import write_patient_figures

    study, subject = study_of_job(snakemake.config, snakemake.input), snakemake.wildcards.subject
    shard, quality = snakemake.input.shard, snakemake.input.quality
    write_mean_beats(shard, quality, snakemake.params.recipe, snakemake.output.mean_beats)
    write_patient_figures(study, study.results, subject)
    write_patient_page(snakemake.output.page, study, study.results, subject)
