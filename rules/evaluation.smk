# What the rounds are worth, on draws: against baselines, against nulls, and by how near training came to the test.
# Needs:  the predictions of every round, the splits, baselines and nulls, and the generic metrics and predictions.
# Makes:  evaluation/: rounds, baselines and nulls, one row a patient, arm and one of these; baseline_averages; leakage, one row a split;
#         patients, every metric; averages over them, tests between rounds and arms, and the resamples under both;
#         calibration of the last round; periods, prevalence, alerts and decision_curve, at real prevalence; summary.json over patients, and verdict.json.


rule evaluation:
    "Gather metrics on test draws, average them over patients, and judge whether personalization is real."
    input:
        predictions=files_of(evaluable_rounds, result_path.round_predictions),
        splits=files_of(evaluable_rounds, result_path.arm_files, "split.json"),
        baselines=files_of(evaluable_rounds, result_path.arm_files, "baselines.parquet"),
        nulls=files_of(evaluable_rounds, result_path.nulls, study.arms),
        arms=result_path("personal/arms.parquet"),
        generic_metrics=result_path("generic/metrics.json"),
        generic_predictions=result_path("generic/predictions.parquet"),
    output:
        rounds=result_path("evaluation/rounds.parquet"),
        baselines=result_path("evaluation/baselines.parquet"),
        baseline_averages=result_path("evaluation/baseline_averages.parquet"),
        nulls=result_path("evaluation/nulls.parquet"),
        leakage=result_path("evaluation/leakage.parquet"),
        distances=result_path("evaluation/distances.parquet"),
        patients=result_path("evaluation/patients.parquet"),
        averages=result_path("evaluation/averages.parquet"),
        tests=result_path("evaluation/tests.parquet"),
        resampled_draws=result_path("evaluation/resampled_draws.parquet"),
        resampled_patients=result_path("evaluation/resampled_patients.parquet"),
        effective=result_path("evaluation/effective.parquet"),
        periods=result_path("evaluation/periods.parquet"),
        prevalence=result_path("evaluation/prevalence.parquet"),
        alerts=result_path("evaluation/alerts.parquet"),
        calibration=result_path("evaluation/calibration.parquet"),
        decision_curve=result_path("evaluation/decision_curve.parquet"),
        summary=result_path("evaluation/summary.json"),
        verdict=result_path("evaluation/verdict.json"),
    log:
        log_path("evaluation"),
    benchmark:
        benchmark_path("evaluation")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(1000),
        runtime=scale_with_attempt(15),
    params:
        recipe=study.digest("evaluation"),
    script:
        "../workflow/scripts/evaluation.py"
