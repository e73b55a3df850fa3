# What the rounds are worth, on draws: against baselines, against nulls, and by how near training came to the test.
# Needs:  the predictions of every round, the splits, baselines and nulls, and the generic metrics.
# Makes:  evaluation/: rounds, baselines and nulls, one row a patient, arm and one of these; leakage, one row a split;
#         summary.json over patients, and verdict.json.


rule evaluation:
    "Gather metrics on test draws, average them over patients, and judge whether personalization is real."
    input:
        predictions=round_files("predictions.parquet"),
        splits=files_of_arms("split.json"),
        baselines=files_of_arms("baselines.parquet"),
        nulls=null_files,
        arms=out("personal/arms.parquet"),
        generic=out("generic/metrics.json"),
    output:
        rounds=out("evaluation/rounds.parquet"),
        baselines=out("evaluation/baselines.parquet"),
        nulls=out("evaluation/nulls.parquet"),
        leakage=out("evaluation/leakage.parquet"),
        distances=out("evaluation/distances.parquet"),
        summary=out("evaluation/summary.json"),
        verdict=out("evaluation/verdict.json"),
    log:
        log_of("evaluation"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(15),
    params:
        recipe=study.digest("evaluation"),
    script:
        "../workflow/scripts/evaluation.py"
