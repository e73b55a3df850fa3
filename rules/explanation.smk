# What the networks respond to, before and after personal training.
# Needs:  one patient's beats and features, the generic weights, and the split and the last round of each arm.
# Makes:  explanation/{subject}/, as tables: Grad-CAM over the mean beats, its fraction per wave, its similarity to the maps of
#         randomized networks, the effect of occluding a wave on test draws, and a two-dimensional embedding of beats.


rule explanation:
    "Compute Grad-CAM, occlusion and embeddings of one patient, generic and personal."
    input:
        shard=result_path("beats/{subject}.parquet"),
        features=result_path("features/{subject}.safetensors"),
        generic=result_path("generic/model.safetensors"),
        rounds=files_of(evaluable_arms, result_path.last_weights),
        splits=splits_of_subject,
        personal=ancient(result_path("cohort/personal.parquet")),  # as in personal.smk
    output:
        **{
            kind: result_path(f"explanation/{{subject}}/{kind}.parquet")
            for kind in EXPLANATION
        },
    log:
        log_path("explanation/{subject}"),
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=scale_with_attempt(3000),
        runtime=time_limit(40),
    params:
        recipe=study.digest("explanation"),
    script:
        "../workflow/scripts/explanation.py"
