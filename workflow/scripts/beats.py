"""Filter, find R peaks, judge quality and cut the beats of one subject."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.beats import write_beats

    study = Study.from_config(snakemake.config)
    write_beats(
        excerpts_path=snakemake.input[0],
        ecg=study.ecg,
        beats=study.beats,
        digest=study.digest("beats"),
        shard_path=snakemake.output.shard,
        quality_path=snakemake.output.quality,
    )
