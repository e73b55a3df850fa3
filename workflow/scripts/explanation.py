"""Grad-CAM and t-SNE of one patient, generic against personal."""

from kalemia.config import Study
from kalemia.joblog import job_log

with job_log(snakemake.log[0]):
    from kalemia.evaluation import round_of_path
    from kalemia.explanation import explain_subject

    study, paths = Study.from_config(snakemake.config), snakemake.input
    splits = dict(zip(study.arms, paths.splits, strict=True))
    rounds = {round_of_path(path)["arm"]: path for path in paths.rounds}
    explain_subject(
        subject_id=int(snakemake.wildcards.subject[1:]),
        shard_path=paths.shard,
        generic_path=paths.generic,
        last_rounds={arm: (split, rounds[arm]) for arm, split in splits.items() if arm in rounds},
        network=study.network,
        settings=study.explanation,
        seed=study.seed,
        digest=study.digest("explanation"),
        gradcam_path=snakemake.output.gradcam,
        embedding_path=snakemake.output.embedding,
    )
