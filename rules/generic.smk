# The generic network.
# Needs:  cohort/generic.parquet, and the beat shards of the generic patients; never those of a personal patient. Or, where
#         generic.model names one, a model folder, from which the network is imported.
# Makes:  beats/generic.parquet, all these beats in one file, so that neither the training nor Snakemake has to go through
#         thousands of files (not if the network is imported); generic/: weights, training history, predictions and metrics
#         on the three splits, and comparators.parquet, the test draws as simpler scores see them (all but the weights
#         are empty if the network is imported); mixed_model.json, how potassium goes with the ECG's measures in these
#         patients, for a baseline of the personal ones (not if the network is imported).


if study.generic.model:

    rule import_generic:
        "Import the generic network from a model folder."
        input:
            # a function, because the name of the folder may hold braces
            model_files,
        output:
            model=result_path("generic/model.safetensors"),
            history=result_path("generic/history.parquet"),
            predictions=result_path("generic/predictions.parquet"),
            metrics=result_path("generic/metrics.json"),
            comparators=result_path("generic/comparators.parquet"),
        log:
            log_path("import_generic"),
        conda:
            "../envs/training.yaml"
        resources:
            mem_mb=scale_with_attempt(2000),
            runtime=time_limit(10),
        params:
            recipe=study.digest("import_generic"),
            shares_draw_ids=source.shares_draw_ids,
        script:
            "../workflow/scripts/import_generic.py"

else:

    rule generic_beats:
        "Collect the beats of the generic patients in one file."
        input:
            shards=per_population("generic", result_path.shard),
            # so that the job waits for the current population; its time does not count
            draws=ancient(result_path("cohort/generic.parquet")),
        output:
            result_path("beats/generic.parquet"),
        log:
            log_path("generic_beats"),
        conda:
            "../envs/signal.yaml"
        resources:
            mem_mb=scale_with_attempt(1000),
            runtime=time_limit(60),
        params:
            recipe=study.digest("generic_beats"),
        script:
            "../workflow/scripts/generic_beats.py"

    rule generic:
        "Train the generic network on the beats of many patients."
        input:
            draws=result_path("cohort/generic.parquet"),
            beats=result_path("beats/generic.parquet"),
        output:
            model=result_path("generic/model.safetensors"),
            history=result_path("generic/history.parquet"),
            predictions=result_path("generic/predictions.parquet"),
            metrics=result_path("generic/metrics.json"),
        log:
            log_path("generic"),
        conda:
            "../envs/training.yaml"
        threads: study.generic.threads
        resources:
            mem_mb=scale_with_attempt(6000),
            runtime=time_limit(720),
            gpu=1,
        params:
            recipe=study.digest("generic"),
        script:
            "../workflow/scripts/generic.py"

    rule comparators:
        "Score the test draws of the generic network with simpler means that learn from the same people."
        input:
            predictions=result_path("generic/predictions.parquet"),
            beats=result_path("beats/generic.parquet"),
        output:
            result_path("generic/comparators.parquet"),
        log:
            log_path("comparators"),
        conda:
            "../envs/signal.yaml"
        resources:
            mem_mb=scale_with_attempt(2000),
            runtime=time_limit(30),
        params:
            recipe=study.digest("comparators"),
        script:
            "../workflow/scripts/comparators.py"

    rule mixed_model:
        "Fit a mixed model of the ECG's measures over the generic patients."
        input:
            result_path("beats/generic.parquet"),
        output:
            result_path("generic/mixed_model.json"),
        log:
            log_path("mixed_model"),
        conda:
            "../envs/signal.yaml"
        resources:
            mem_mb=scale_with_attempt(1000),
            runtime=time_limit(30),
        params:
            recipe=study.digest("mixed_model"),
        script:
            "../workflow/scripts/mixed_model.py"
