# The ECG before each draw.
# Needs:  cohort/draws.parquet, and the recordings.
# Makes:  excerpts/{subject}.parquet, one row a draw: one lead as recorded, or the reason why there is none.


rule excerpts:
    "Read one lead of the minutes before each draw of one subject."
    input:
        draws=out("cohort/draws.parquet"),
        waveforms=waveforms_marker(),
    output:
        out("excerpts/{subject}.parquet"),
    log:
        log_of("excerpts/{subject}"),
    benchmark:
        time_of("excerpts/{subject}")
    group:
        batch_of_subject
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(600),
        runtime=growing(10),
        download=int(is_url(study.waveforms)),
    params:
        recipe=study.digest("excerpts"),
    script:
        "../workflow/scripts/excerpts.py"


localrules:
    all_excerpts,


rule all_excerpts:
    "Read all that is read from the recordings: a target, for a machine that has a way to the web."
    input:
        cohort_excerpts,
