# One network for each personal patient, arm and round.
# Needs:  the patient's beats and their quality, and the generic weights.
# Makes:  personal/arms.parquet, in how many rounds each arm is possible for each patient;
#         personal/{arm}/{subject}/: split.json, and round-{k}/ with what the round trained, predictions and metrics.
#         round-0 is the generic network on the same draws, and has no weights of its own.


rule arms:
    "Say in how many rounds each arm is possible for each personal patient."
    input:
        out("cohort/personal.parquet"),
    output:
        out("personal/arms.parquet"),
    log:
        log_of("personal/arms"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=400,
        runtime=5,
    params:
        recipe=study.digest("arms"),
    script:
        "../workflow/scripts/arms.py"


rule split:
    "Divide the draws of one patient by the protocol of an arm."
    input:
        quality=out("beats/{subject}.quality.parquet"),
    output:
        out("personal/{arm}/{subject}/split.json"),
    log:
        log_of("personal/{arm}/{subject}/split"),
    group:
        "rounds"
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=400,
        runtime=5,
    params:
        recipe=lambda wildcards: study.split_digest(wildcards.arm),
    script:
        "../workflow/scripts/split.py"


rule round_0:
    "Score one patient's draws with the generic network."
    input:
        split=out("personal/{arm}/{subject}/split.json"),
        shard=out("beats/{subject}.parquet"),
        generic=out("generic/model.safetensors"),
    output:
        predictions=out("personal/{arm}/{subject}/round-0/predictions.parquet"),
        metrics=out("personal/{arm}/{subject}/round-0/metrics.json"),
    log:
        log_of("personal/{arm}/{subject}/round-0"),
    group:
        "rounds"
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        recipe=lambda wildcards: study.arm_digest(wildcards.arm),
    script:
        "../workflow/scripts/round_0.py"


rule finetune:
    "Train one patient's network on one more pair of draws."
    input:
        split=out("personal/{arm}/{subject}/split.json"),
        shard=out("beats/{subject}.parquet"),
        generic=out("generic/model.safetensors"),
        previous=previous_weights,
    output:
        model=out("personal/{arm}/{subject}/round-{k}/model.safetensors"),
        predictions=out("personal/{arm}/{subject}/round-{k}/predictions.parquet"),
        metrics=out("personal/{arm}/{subject}/round-{k}/metrics.json"),
    log:
        log_of("personal/{arm}/{subject}/round-{k}"),
    group:
        "rounds"
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        recipe=lambda wildcards: study.arm_digest(wildcards.arm),
    script:
        "../workflow/scripts/finetune.py"
