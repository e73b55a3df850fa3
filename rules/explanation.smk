# What the networks look at, before and after.
# Needs:  one patient's beats, the generic weights, and the last round of each arm.
# Makes:  explanation/{subject}/: Grad-CAM over the mean beats, and embeddings of beats, as tables.


rule explanation:
    "Grad-CAM and t-SNE of one patient, generic against personal."
    input:
        shard=out("beats/{subject}.parquet"),
        generic=out("generic/model.safetensors"),
        rounds=last_rounds,
        splits=splits_of_subject,
    output:
        gradcam=out("explanation/{subject}/gradcam.parquet"),
        embedding=out("explanation/{subject}/embedding.parquet"),
    log:
        log_of("explanation/{subject}"),
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=growing(2500),
        runtime=growing(20),
    params:
        recipe=study.digest("explanation"),
    script:
        "../workflow/scripts/explanation.py"
