"""Filter, find R peaks, assess quality and cut the beats of each subject of a batch."""

from kalemia.core.jobs import error_context, job_log

with job_log(snakemake.log[0], snakemake.rule):
    from kalemia.beats.review_decisions import read_review_decisions
    from kalemia.beats.segment_beats import BeatSettings, write_beats
    from kalemia.core.files.atomic import atomic_folder
    from kalemia.core.paths import subject_id
    from kalemia.core.runs.digests import study_of_job

    study = study_of_job(snakemake.config, snakemake.input)
    decisions = read_review_decisions(study.review.decisions, study.cohort.window_minutes)
    with atomic_folder(snakemake.output[0]) as folder:
        for subject, excerpts_path in zip(snakemake.params.subjects, snakemake.input.excerpts, strict=True):
            with error_context(subject):
                write_beats(
                    excerpts_path=excerpts_path,
                    settings=BeatSettings.from_study(study),
                    decisions=decisions.get(subject_id(subject), {}),
                    digest=study.digest("beats"),
                    shard_path=folder / f"{subject}.parquet",
                    quality_path=folder / f"{subject}.quality.parquet",
                )
