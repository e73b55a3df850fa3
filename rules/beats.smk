# From excerpts to beats.
# Needs:  excerpts/{subject}.parquet, and the review's decisions where the study names a file of them.
# Makes:  beats/{subject}.parquet, the shard, and beats/{subject}.quality.parquet, what was kept and lost of each draw.


rule beats:
    "Filter, find R peaks, judge quality and cut the beats of one subject."
    input:
        excerpts=out("excerpts/{subject}.parquet"),
        # not its time counts but what it says of the subject (below), so that a decision remakes one patient only
        decisions=ancient(decisions_file),
    output:
        shard=out("beats/{subject}.parquet"),
        quality=out("beats/{subject}.quality.parquet"),
    log:
        log_of("beats/{subject}"),
    benchmark:
        time_of("beats/{subject}")
    group:
        batch_of_subject
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(800),
        runtime=growing(5),
    params:
        recipe=study.digest("beats"),
        decisions=lambda wildcards: str(decisions_of_subject(wildcards)),
    script:
        "../workflow/scripts/beats.py"
