# From excerpts to beats.
# Needs:  excerpts/{subject}.parquet
# Makes:  beats/{subject}.parquet, the shard, and beats/{subject}.quality.parquet, what was kept and lost of each draw.


rule beats:
    "Filter, find R peaks, judge quality and cut the beats of one subject."
    input:
        out("excerpts/{subject}.parquet"),
    output:
        shard=out("beats/{subject}.parquet"),
        quality=out("beats/{subject}.quality.parquet"),
    log:
        log_of("beats/{subject}"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=800,
        runtime=15,
    params:
        recipe=study.digest("beats"),
    script:
        "../workflow/scripts/beats.py"
