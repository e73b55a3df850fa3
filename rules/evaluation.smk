# What the rounds are worth, on draws.
# Needs:  the predictions of every round, and the generic metrics.
# Makes:  evaluation/rounds.parquet, one row a patient, arm and round, and evaluation/summary.json over patients.


rule evaluation:
    "Gather every round's metrics on its test draws, and average them over patients."
    input:
        predictions=round_files("predictions.parquet"),
        arms=out("personal/arms.parquet"),
        generic=out("generic/metrics.json"),
    output:
        rounds=out("evaluation/rounds.parquet"),
        summary=out("evaluation/summary.json"),
    log:
        log_of("evaluation"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        recipe=study.digest("evaluation"),
    script:
        "../workflow/scripts/evaluation.py"
