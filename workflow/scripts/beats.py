"""Filter, find R peaks, judge quality and cut the beats of one subject."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.beats import BeatSettings, write_beats
    from kalemia.review import read_decisions

    study = Study.from_config(snakemake.config)
    write_beats(
        excerpts_path=snakemake.input.excerpts,
        settings=BeatSettings.of(study),
        decisions=read_decisions(study.review.decisions, int(snakemake.wildcards.subject[1:])),
        digest=study.digest("beats"),
        shard_path=snakemake.output.shard,
        quality_path=snakemake.output.quality,
    )
