# One network for each personal patient, arm and round; what it must beat, and what it must not match.
# Needs:  the patient's beats and their quality, the generic weights, and the context of draws.
# Makes:  personal/arms.parquet, in how many rounds each arm is possible for each patient;
#         features/{subject}.safetensors, the patient's beats after the frozen stages. A cache of what the shard and the
#         generic weights say; not temporary, for Snakemake would remake everything that reads it whenever one round asks
#         for it again;
#         personal/{arm}/{subject}/: split.json, and round-{k}/ with what the round trained, predictions and metrics.
#         round-0 is the generic network on the same draws, and has no weights of its own; baselines.parquet and
#         nulls.parquet beside it. personal/{arm}/strangers.parquet, every patient under other patients' networks.
# Each job has the checkpoint's personal.parquet as an input of which the time does not count: Snakemake then looks again, once
# the checkpoint is done, at what has changed for this patient. Without it all that was planned before would be done, and a
# patient's split, made before, would be forgotten. No job has an ancient input that another job than a checkpoint makes: while
# that one waits to be made, Snakemake 9.27 asks for no reason of its own of what comes after.


rule arms:
    "Say in how many rounds each arm is possible for each personal patient."
    input:
        out("cohort/personal.parquet"),
    output:
        out("personal/arms.parquet"),
    log:
        log_of("personal/arms"),
    benchmark:
        time_of("arms")
    localrule: True
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        recipe=study.digest("arms"),
    script:
        "../workflow/scripts/arms.py"


rule split:
    "Divide the draws of one patient by the protocol of an arm, and audit what both sides share."
    input:
        quality=out("beats/{subject}.quality.parquet"),
        shard=out("beats/{subject}.parquet"),
        known=ancient(out("cohort/personal.parquet")),
    output:
        out("personal/{arm}/{subject}/split.json"),
    log:
        log_of("personal/{arm}/{subject}/split"),
    benchmark:
        time_of("split/{arm}/{subject}")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        recipe=of_arm(study.split_digest),
    script:
        "../workflow/scripts/split.py"


rule features:
    "Pass one patient's beats through the frozen stages of the generic network, once."
    input:
        shard=out("beats/{subject}.parquet"),
        generic=out("generic/model.safetensors"),
        known=ancient(out("cohort/personal.parquet")),
    output:
        out("features/{subject}.safetensors"),
    log:
        log_of("features/{subject}"),
    benchmark:
        time_of("features/{subject}")
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=growing(3000),
        runtime=growing(10),
    params:
        recipe=study.digest("features"),
    script:
        "../workflow/scripts/features.py"


rule round_0:
    "Score one patient's draws with the generic network and with every baseline."
    input:
        split=out("personal/{arm}/{subject}/split.json"),
        shard=out("beats/{subject}.parquet"),
        generic=out("generic/model.safetensors"),
        features=out("features/{subject}.safetensors"),
        context=out("cohort/context.parquet"),
        known=ancient(out("cohort/personal.parquet")),
    output:
        predictions=out("personal/{arm}/{subject}/round-0/predictions.parquet"),
        metrics=out("personal/{arm}/{subject}/round-0/metrics.json"),
        baselines=out("personal/{arm}/{subject}/baselines.parquet"),
    log:
        log_of("personal/{arm}/{subject}/round-0"),
    benchmark:
        time_of("round_0/{arm}/{subject}")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        recipe=study.digest("baselines"),
    script:
        "../workflow/scripts/round_0.py"


rule finetune:
    "Train one patient's network on one more pair of draws."
    input:
        split=out("personal/{arm}/{subject}/split.json"),
        shard=out("beats/{subject}.parquet"),
        generic=out("generic/model.safetensors"),
        features=out("features/{subject}.safetensors"),
        previous=previous_weights,
        known=ancient(out("cohort/personal.parquet")),
    output:
        model=out("personal/{arm}/{subject}/round-{k}/model.safetensors"),
        predictions=out("personal/{arm}/{subject}/round-{k}/predictions.parquet"),
        metrics=out("personal/{arm}/{subject}/round-{k}/metrics.json"),
    log:
        log_of("personal/{arm}/{subject}/round-{k}"),
    benchmark:
        time_of("finetune/{arm}/{subject}/round-{k}")
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        recipe=of_arm(study.arm_digest),
    script:
        "../workflow/scripts/finetune.py"


rule nulls:
    "Train one patient's network where the truth has been destroyed, as often as the arm asks for."
    input:
        split=out("personal/{arm}/{subject}/split.json"),
        shard=out("beats/{subject}.parquet"),
        generic=out("generic/model.safetensors"),
        features=out("features/{subject}.safetensors"),
        known=ancient(out("cohort/personal.parquet")),
    output:
        out("personal/{arm}/{subject}/nulls.parquet"),
    log:
        log_of("personal/{arm}/{subject}/nulls"),
    benchmark:
        time_of("nulls/{arm}/{subject}")
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
    params:
        recipe=of_arm(study.nulls_digest),
    script:
        "../workflow/scripts/nulls.py"


rule strangers:
    "Score every patient's test draws with the last rounds of other patients."
    input:
        splits=arm_files("split.json"),
        shards=shards_of_arm,
        features=features_of_arm,
        rounds=last_rounds_of_arm,
        generic=out("generic/model.safetensors"),
        known=ancient(out("cohort/personal.parquet")),
    output:
        out("personal/{arm}/strangers.parquet"),
    log:
        log_of("personal/{arm}/strangers"),
    benchmark:
        time_of("strangers/{arm}")
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        recipe=of_arm(study.strangers_digest),
    script:
        "../workflow/scripts/strangers.py"
