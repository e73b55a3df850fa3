# Evaluate the rounds on test draws: against baselines and negative controls, and by the distance to training draws.
# Needs:  the predictions of every round, the splits, baselines, nulls and runs on other analytes, the generic metrics and
#         predictions, the comparators' scores, the outcome and the context of every draw, and everybody's age and gender.
# Makes:  the files of evaluation/ (docs/reference/files.md), each an entry of EVALUATION in kalemia.core.schemas.evaluation.


rule evaluation:
    "Gather metrics on test draws, average them over patients, and decide about the claims."
    input:
        predictions=files_of(evaluable_rounds, result_path.round_predictions),
        splits=files_of(evaluable_rounds, result_path.arm_files, "split.json"),
        baselines=files_of(evaluable_rounds, result_path.arm_files, "baselines.parquet"),
        nulls=files_of(evaluable_rounds, result_path.nulls, study.arms),
        controls=files_of(
            evaluable_rounds,
            result_path.control_runs,
            study.deciding_arm,
            study.controls,
        ),
        control_values=result_path.control_values(study.controls),
        arms=result_path("personal/arms.parquet"),
        generic_metrics=result_path("generic/metrics.json"),
        generic_predictions=result_path("generic/predictions.parquet"),
        context=result_path("cohort/context.parquet"),
        comparators=result_path("generic/comparators.parquet"),
        outcomes=result_path("cohort/outcomes.parquet"),
        people=result_path("cohort/people.parquet"),
    output:
        **{file.name: result_path(file.path) for file in EVALUATION},
    log:
        log_path("evaluation"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(1000),
        runtime=time_limit(15),
    params:
        recipe=study.digest("evaluation"),
    script:
        "../workflow/scripts/evaluation.py"
