# From excerpts to beats.
# Needs:  excerpts/{subject}.parquet, and the review's decisions where the study names a file of them.
# Makes:  beats/{subject}.parquet, the shard, and beats/{subject}.quality.parquet, what was kept and lost of each draw; for a
#         batch of subjects at once, since loading the libraries takes as long as the work for ten. beats/batch-N/ is there
#         until each subject's own job has taken its files; after an interruption it may stay, as links to the same files.


rule beats_of_batch:
    "Filter, find R peaks, judge quality and cut the beats of a batch of subjects."
    input:
        excerpts=excerpts_of_batch,
        # not its time counts but what it says of the subjects (below)
        decisions=ancient(decisions_file),
    output:
        temp(directory(out("beats/batch-{batch}"))),
    log:
        log_of("beats/batch-{batch}"),
    benchmark:
        time_of("beats_of_batch/{batch}")
    group:
        group_of_batch("beats")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(800),
        runtime=growing(20),
    params:
        recipe=study.digest("beats"),
        subjects=subjects_of_batch,
        decisions=lambda wildcards: str(decisions_of_batch(wildcards)),
    script:
        "../workflow/scripts/beats.py"


localrules:
    beats,


rule beats:
    "Take the beats of one subject out of its batch."
    input:
        batch=beats_batch,
        # what the batch was made by, here too: a batch that was made for another subject's sake leaves no reason behind
        excerpts=out("excerpts/{subject}.parquet"),
    output:
        shard=out("beats/{subject}.parquet"),
        quality=out("beats/{subject}.quality.parquet"),
    log:
        log_of("beats/{subject}"),
    conda:
        "../envs/signal.yaml"
    params:
        recipe=study.digest("beats"),
        decisions=decisions_of_subject,
    shell:
        # a link costs no disk; where the file system has none, a copy
        "exec 2> {log:q}; cd {input.batch:q}; ln -f {wildcards.subject}.* .. || cp {wildcards.subject}.* .."
