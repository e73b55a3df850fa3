# The generic network.
# Needs:  cohort/generic.parquet, and the beat shards of the generic patients. Never a personal patient's.
# Makes:  generic/: the weights, the history of the training, predictions and metrics on its three splits.


rule generic:
    "Train the generic network on many people's beats."
    input:
        draws=out("cohort/generic.parquet"),
        shards=generic_shards,
    output:
        model=out("generic/model.safetensors"),
        history=out("generic/history.parquet"),
        predictions=out("generic/predictions.parquet"),
        metrics=out("generic/metrics.json"),
    log:
        log_of("generic"),
    benchmark:
        time_of("generic")
    conda:
        "../envs/training.yaml"
    threads: study.generic.threads
    resources:
        mem_mb=growing(6000),
        runtime=growing(720),
        gpu=1,
    params:
        recipe=study.digest("generic"),
    script:
        "../workflow/scripts/generic.py"
