"""Compute Grad-CAM, occlusion and embeddings of one patient, generic and personal."""

from kalemia.core.jobs import job_log, set_visible_gpus

set_visible_gpus(snakemake.resources.get("gpu", 0))
with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.core.paths import round_of_path, subject_id
    from kalemia.core.runs.digests import study_of_job
    from kalemia.explanation.explain_patient import PatientFiles, TrainingSettings, explain_subject

    study, paths = study_of_job(snakemake.config, snakemake.input), snakemake.input
    explain_subject(
        subject_id=subject_id(snakemake.wildcards.subject),
        files=PatientFiles(
            shard=paths.shard,
            features=paths.features,
            generic=paths.generic,
            splits=dict(zip(study.arms, paths.splits, strict=True)),
            rounds={round_of_path(path)["arm"]: path for path in paths.rounds},
        ),
        training=TrainingSettings(study.network, study.personal, study.arms, study.seed),
        settings=study.explanation,
        digest=study.digest("explanation"),
        paths=dict(snakemake.output.items()),
    )
