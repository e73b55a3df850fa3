# The ECG before each draw.
# Needs:  cohort/draws.parquet, and the recordings.
# Makes:  excerpts/{subject}.parquet, one row per draw: one lead as recorded, or the reason for its absence. One job reads a
#         batch of subjects, as in beats.smk.


rule excerpts_of_batch:
    "Read one lead of the minutes before each draw of a batch of subjects."
    input:
        draws=result_path("cohort/draws.parquet"),
        waveforms=recording_files(subjects_of_batch),
    output:
        temp(directory(result_path("excerpts/batch-{batch}"))),
    log:
        log_path("excerpts/batch-{batch}"),
    group:
        group_of_batch("excerpts")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(600),
        runtime=time_limit(60),
        download=int(source.downloads_recordings),
    params:
        recipe=study.digest("excerpts"),
        subjects=subjects_of_batch,
    script:
        "../workflow/scripts/excerpts_of_batch.py"


localrules:
    excerpts,
    all_excerpts,


rule excerpts:
    "Link the excerpts of one subject out of its batch."
    input:
        batch=batch_of_subject("excerpts"),
        # inputs of the batch, repeated here: the job must run again for its own subject if the batch was made again for another
        draws=result_path("cohort/draws.parquet"),
        waveforms=recording_files(this_subject),
    output:
        result_path("excerpts/{subject}.parquet"),
    log:
        log_path("excerpts/{subject}"),
    conda:
        "../envs/signal.yaml"
    params:
        recipe=study.digest("excerpts"),
    shell:
        # a link takes no space; a copy if the file system has no links
        "exec 2> {log:q}; cd {input.batch:q}; ln -f {wildcards.subject}.* .. || (cp {wildcards.subject}.* .. && sync)"


rule all_excerpts:
    "Read all recordings: a target, for a machine that can reach the internet."
    input:
        rules.cohort.output,
        per_subject(result_path.excerpts),
