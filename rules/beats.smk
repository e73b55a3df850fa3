# From excerpts to beats, and the page for their review.
# Needs:  excerpts/{subject}.parquet, and the review's decisions if the study names a file with some.
# Makes:  beats/{subject}.parquet, the shard; beats/{subject}.quality.parquet, the beats kept and lost per draw;
#         quality/review.html, the excerpts closest to the thresholds, for a person to look at.
# One job works on a batch of ten subjects, because loading the libraries takes as long as the work on ten. The folder
# beats/batch-N/ exists until the job of each subject has linked its files; after an interruption it may stay, as links.


rule beats_of_batch:
    "Filter, find R peaks, assess quality and cut the beats of a batch of subjects."
    input:
        excerpts=per_batch_subject(result_path.excerpts),
        # its time does not count; its decisions on these subjects do (below)
        decisions=ancient(decisions_file),
    output:
        temp(directory(result_path("beats/batch-{batch}"))),
    log:
        log_path("beats/batch-{batch}"),
    group:
        group_of_batch("beats")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(800),
        runtime=time_limit(20),
    params:
        recipe=study.digest("beats"),
        subjects=subjects_of_batch,
        decisions=lambda wildcards: str(decisions_of_batch(wildcards)),
    script:
        "../workflow/scripts/beats_of_batch.py"


localrules:
    beats,


rule beats:
    "Link the beats of one subject out of its batch."
    input:
        batch=batch_of_subject("beats"),
        # inputs of the batch, repeated here: the job must run again for its own subject if the batch was made again for another
        excerpts=result_path("excerpts/{subject}.parquet"),
    output:
        shard=result_path("beats/{subject}.parquet"),
        quality=result_path("beats/{subject}.quality.parquet"),
    log:
        log_path("beats/{subject}"),
    conda:
        "../envs/signal.yaml"
    params:
        recipe=study.digest("beats"),
        decisions=decisions_of_subject,
    shell:
        # a link takes no space; a copy if the file system has no links
        "exec 2> {log:q}; cd {input.batch:q}; ln -f {wildcards.subject}.* .. || (cp {wildcards.subject}.* .. && sync)"


rule review_page:
    "Show the excerpts closest to the thresholds."
    input:
        quality=per_subject(result_path.quality),
        excerpts=per_subject(result_path.excerpts),
        names=result_path("cohort/subject_names.parquet"),
    output:
        result_path("quality/review.html"),
    log:
        log_path("review_page"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(2000),
        runtime=time_limit(30),
    params:
        recipe=study.digest("review_page"),
        decisions=str(decisions),
    script:
        "../workflow/scripts/review_page.py"
