# What the rounds are worth, on draws: against baselines, against nulls, and by how near training came to the test.
# Needs:  the predictions of every round, the splits, baselines and nulls, and the generic metrics and predictions.
# Makes:  evaluation/: rounds, baselines and nulls, one row a patient, arm and one of these; baseline_averages; leakage, one row a split;
#         patients, every metric; averages over them, tests between rounds and arms, and the resamples under both;
#         calibration of the last round; periods, prevalence, alerts and decision_curve, at real prevalence; summary.json over patients, and verdict.json.


rule evaluation:
    "Gather metrics on test draws, average them over patients, and judge whether personalization is real."
    input:
        predictions=round_files("predictions.parquet"),
        splits=files_of_arms("split.json"),
        baselines=files_of_arms("baselines.parquet"),
        nulls=null_files,
        arms=out("personal/arms.parquet"),
        generic_metrics=out("generic/metrics.json"),
        generic_predictions=out("generic/predictions.parquet"),
    output:
        rounds=out("evaluation/rounds.parquet"),
        baselines=out("evaluation/baselines.parquet"),
        baseline_averages=out("evaluation/baseline_averages.parquet"),
        nulls=out("evaluation/nulls.parquet"),
        leakage=out("evaluation/leakage.parquet"),
        distances=out("evaluation/distances.parquet"),
        patients=out("evaluation/patients.parquet"),
        averages=out("evaluation/averages.parquet"),
        tests=out("evaluation/tests.parquet"),
        resampled_draws=out("evaluation/resampled_draws.parquet"),
        resampled_patients=out("evaluation/resampled_patients.parquet"),
        effective=out("evaluation/effective.parquet"),
        periods=out("evaluation/periods.parquet"),
        prevalence=out("evaluation/prevalence.parquet"),
        alerts=out("evaluation/alerts.parquet"),
        calibration=out("evaluation/calibration.parquet"),
        decision_curve=out("evaluation/decision_curve.parquet"),
        summary=out("evaluation/summary.json"),
        verdict=out("evaluation/verdict.json"),
    log:
        log_of("evaluation"),
    benchmark:
        time_of("evaluation")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(15),
    params:
        recipe=study.digest("evaluation"),
    script:
        "../workflow/scripts/evaluation.py"
