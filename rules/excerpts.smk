# The ECG before each draw.
# Needs:  cohort/draws.parquet, and the recordings.
# Makes:  excerpts/{subject}.parquet, one row a draw: one lead as recorded, or the reason why there is none; for a batch of
#         subjects at once, as in beats.smk.


rule excerpts_of_batch:
    "Read one lead of the minutes before each draw of a batch of subjects."
    input:
        draws=out("cohort/draws.parquet"),
        waveforms=waveforms_of(subjects_of_batch),
    output:
        temp(directory(out("excerpts/batch-{batch}"))),
    log:
        log_of("excerpts/batch-{batch}"),
    benchmark:
        time_of("excerpts_of_batch/{batch}")
    group:
        group_of_batch("excerpts")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(600),
        runtime=growing(60),
        download=int(is_url(study.waveforms)),
    params:
        recipe=study.digest("excerpts"),
        subjects=subjects_of_batch,
    script:
        "../workflow/scripts/excerpts.py"


localrules:
    excerpts,
    all_excerpts,


rule excerpts:
    "Take the excerpts of one subject out of its batch."
    input:
        batch=excerpts_batch,
        # what the batch was read by, here too: a batch that was made for another subject's sake leaves no reason behind
        draws=out("cohort/draws.parquet"),
        waveforms=waveforms_of(subject_alone),
    output:
        out("excerpts/{subject}.parquet"),
    log:
        log_of("excerpts/{subject}"),
    conda:
        "../envs/signal.yaml"
    params:
        recipe=study.digest("excerpts"),
    shell:
        # a link costs no disk; where the file system has none, a copy
        "exec 2> {log:q}; cd {input.batch:q}; ln -f {wildcards.subject}.* .. || cp {wildcards.subject}.* .."


rule all_excerpts:
    "Read all that is read from the recordings: a target, for a machine that has a way to the web."
    input:
        rules.cohort.output,
        cohort_excerpts,
