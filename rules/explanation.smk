# What the networks look at, before and after.
# Needs:  one patient's beats and features, the generic weights, and the split and the last round of each arm.
# Makes:  explanation/{subject}/, as tables: Grad-CAM over the mean beats, what of it each wave gets, how alike it is to
#         that of networks made random, what test draws lose without a wave, and beats in the plane.


rule explanation:
    "Grad-CAM, occlusion and embeddings of one patient, generic against personal."
    input:
        shard=out("beats/{subject}.parquet"),
        features=out("features/{subject}.safetensors"),
        generic=out("generic/model.safetensors"),
        rounds=last_rounds,
        splits=splits_of_subject,
        known=ancient(out("cohort/personal.parquet")),  # as in personal.smk
    output:
        **{kind: out(f"explanation/{{subject}}/{kind}.parquet") for kind in EXPLANATION},
    log:
        log_of("explanation/{subject}"),
    benchmark:
        time_of("explanation/{subject}")
    conda:
        "../envs/training.yaml"
    threads: study.personal.threads
    resources:
        mem_mb=growing(3000),
        runtime=growing(40),
    params:
        recipe=study.digest("explanation"),
    script:
        "../workflow/scripts/explanation.py"
