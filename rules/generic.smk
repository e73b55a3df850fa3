# The generic network.
# Needs:  cohort/generic.parquet, and the beat shards of the generic patients. Never a personal patient's.
# Makes:  beats/generic.parquet, all of these beats in one file: without it the training, and Snakemake for each network that
#         follows from it, would go through thousands; generic/: the weights, the history of the training, predictions and
#         metrics on its three splits.


rule generic_beats:
    "Gather the beats of the generic patients."
    input:
        shards=generic_shards,
        # so that it waits for who is generic now; its time does not count
        who=ancient(out("cohort/generic.parquet")),
    output:
        out("beats/generic.parquet"),
    log:
        log_of("generic_beats"),
    benchmark:
        time_of("generic_beats")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        recipe=study.digest("generic_beats"),
    script:
        "../workflow/scripts/generic_beats.py"


rule generic:
    "Train the generic network on many people's beats."
    input:
        draws=out("cohort/generic.parquet"),
        beats=out("beats/generic.parquet"),
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
