# One network per personal patient, arm and round, and what it is compared with: baselines and negative controls.
# Needs:  the patient's beats and their quality, the generic weights and mixed model, the clinical context of draws, and
#         other analytes.
# Makes:  personal/arms.parquet: the number of rounds of each patient in each arm;
#         features/{subject}.safetensors: the patient's beats after the frozen stages, a cache. It is not temporary, because
#         Snakemake would then make everything that reads it again whenever one round needs it;
#         personal/{arm}/{subject}/: split.json; round-{k}/ with the weights, predictions and metrics of a round;
#         round-0/ with the predictions of the generic network, without weights; baselines.parquet; nulls/, a file for each
#         chunk of the runs of negative controls (`chunks_of_runs` in kalemia.core.negative_controls); in the deciding arm
#         controls/, a file for each other analyte;
#         personal/{arm}/cross_patient.parquet: every patient under the networks of other patients.
# Every job has the checkpoint's personal.parquet as an `ancient` input: once the checkpoint is done, Snakemake checks again
# what has changed for this patient. Without it, Snakemake would run everything it had planned before, and skip a patient whose
# split existed. Only outputs of a checkpoint are ancient inputs: while an ancient input waits for another job, Snakemake
# 9.27 does not check the jobs after it.


rule personal_networks:
    "Train every round of every patient: a target, for networks without evaluation and pages."
    input:
        # as for `all`: checkpoints with all their outputs
        rules.cohort.output,
        rules.populations.output,
        result_path("personal/arms.parquet"),
        files_of(evaluable_rounds, result_path.round_predictions),
        files_of(evaluable_rounds, result_path.round_weights),
    localrule: True


rule count_rounds:
    "Determine the number of fine-tuning rounds for each patient and arm."
    input:
        result_path("cohort/personal.parquet"),
    output:
        result_path("personal/arms.parquet"),
    log:
        log_path("count_rounds"),
    localrule: True
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(500),
        runtime=time_limit(5),
    params:
        recipe=study.digest("count_rounds"),
    script:
        "../workflow/scripts/count_rounds.py"


rule split:
    "Split the draws of one patient by the protocol of an arm, and audit what both parts share."
    input:
        quality=result_path("beats/{subject}.quality.parquet"),
        shard=result_path("beats/{subject}.parquet"),
        personal=ancient(result_path("cohort/personal.parquet")),
    output:
        result_path("personal/{arm}/{subject}/split.json"),
    log:
        log_path("personal/{arm}/{subject}/split"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(500),
        runtime=time_limit(5),
    params:
        recipe=arm_param(study.split_digest),
    script:
        "../workflow/scripts/split.py"


rule features:
    "Pass the beats of one patient through the frozen stages of the generic network, once."
    input:
        shard=result_path("beats/{subject}.parquet"),
        generic=result_path("generic/model.safetensors"),
        personal=ancient(result_path("cohort/personal.parquet")),
    output:
        result_path("features/{subject}.safetensors"),
    log:
        log_path("features/{subject}"),
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=scale_with_attempt(3000),
        runtime=time_limit(10),
    params:
        recipe=study.digest("features"),
    script:
        "../workflow/scripts/features.py"


rule score_generic:
    "Score the draws of one patient with the generic network and with every baseline."
    input:
        split=result_path("personal/{arm}/{subject}/split.json"),
        shard=result_path("beats/{subject}.parquet"),
        generic=result_path("generic/model.safetensors"),
        features=result_path("features/{subject}.safetensors"),
        context=result_path("cohort/context.parquet"),
        mixed_model=(
            [] if study.generic.model else result_path("generic/mixed_model.json")
        ),
        personal=ancient(result_path("cohort/personal.parquet")),
    output:
        predictions=result_path("personal/{arm}/{subject}/round-0/predictions.parquet"),
        metrics=result_path("personal/{arm}/{subject}/round-0/metrics.json"),
        baselines=result_path("personal/{arm}/{subject}/baselines.parquet"),
    log:
        log_path("personal/{arm}/{subject}/round-0"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(1500),
        runtime=time_limit(10),
    params:
        recipe=study.digest("baselines"),
    script:
        "../workflow/scripts/score_generic.py"


rule finetune:
    "Train the network of one patient on one more pair of draws."
    input:
        split=result_path("personal/{arm}/{subject}/split.json"),
        shard=result_path("beats/{subject}.parquet"),
        generic=result_path("generic/model.safetensors"),
        features=result_path("features/{subject}.safetensors"),
        previous=previous_weights,
        earlier=earlier_predictions,
        personal=ancient(result_path("cohort/personal.parquet")),
    output:
        model=result_path("personal/{arm}/{subject}/round-{k}/model.safetensors"),
        predictions=result_path(
            "personal/{arm}/{subject}/round-{k}/predictions.parquet"
        ),
        metrics=result_path("personal/{arm}/{subject}/round-{k}/metrics.json"),
    log:
        log_path("personal/{arm}/{subject}/round-{k}"),
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=scale_with_attempt(2000),
        runtime=time_limit(10),
    params:
        recipe=arm_param(study.arm_digest),
    script:
        "../workflow/scripts/finetune.py"


rule nulls:
    "Train the network of one patient on shuffled or shifted labels or other ECG, one chunk of the arm's runs."
    input:
        split=result_path("personal/{arm}/{subject}/split.json"),
        shard=result_path("beats/{subject}.parquet"),
        generic=result_path("generic/model.safetensors"),
        features=result_path("features/{subject}.safetensors"),
        personal=ancient(result_path("cohort/personal.parquet")),
    output:
        result_path("personal/{arm}/{subject}/nulls/{chunk}.parquet"),
    log:
        log_path("personal/{arm}/{subject}/nulls/{chunk}"),
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=scale_with_attempt(3000),
        runtime=time_limit(60),
        gpu=0,
    params:
        recipe=arm_param(study.nulls_digest, "chunk"),
    script:
        "../workflow/scripts/nulls.py"


rule controls:
    "Train networks of one patient on another analyte, on its own labels and on shifted ones."
    input:
        split=result_path("personal/{arm}/{subject}/split.json"),
        values=result_path("cohort/control-{control}.parquet"),
        shard=result_path("beats/{subject}.parquet"),
        generic=result_path("generic/model.safetensors"),
        features=result_path("features/{subject}.safetensors"),
        personal=ancient(result_path("cohort/personal.parquet")),
    output:
        result_path("personal/{arm}/{subject}/controls/{control}.parquet"),
    log:
        log_path("personal/{arm}/{subject}/controls/{control}"),
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=scale_with_attempt(3000),
        runtime=time_limit(60),
        gpu=0,
    params:
        recipe=arm_param(study.controls_digest, "control"),
    script:
        "../workflow/scripts/controls.py"


rule strangers:
    "Score the test draws of every patient with the last networks of other patients."
    input:
        splits=files_of(evaluable_patients, result_path.arm_files, "split.json"),
        shards=files_of(evaluable_patients, result_path.shards),
        features=files_of(evaluable_patients, result_path.all_features),
        rounds=files_of(evaluable_patients, result_path.last_weights),
        generic=result_path("generic/model.safetensors"),
        personal=ancient(result_path("cohort/personal.parquet")),
    output:
        result_path("personal/{arm}/cross_patient.parquet"),
    log:
        log_path("personal/{arm}/strangers"),
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=scale_with_attempt(4000),
        runtime=time_limit(60),
    params:
        recipe=arm_param(study.strangers_digest),
    script:
        "../workflow/scripts/strangers.py"
