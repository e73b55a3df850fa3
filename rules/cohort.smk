# Who is studied, and which draws.
# Needs:  the clinical tables, and the master headers of the recordings.
# Makes:  cohort/draws.parquet with every value of the analyte, cohort/subjects.parquet with who has draws to read;
#         after quality is known, the populations, the generic and the personal draws, and the inclusion flow.


checkpoint cohort:
    "Match every draw with a recording, and choose the draws to read."
    input:
        tables=[clinical_table(name) for name in CLINICAL_TABLES],
        waveforms=waveforms_marker(),
    output:
        draws=out("cohort/draws.parquet"),
        subjects=out("cohort/subjects.parquet"),
    log:
        log_of("cohort"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        recipe=study.digest("cohort"),
    script:
        "../workflow/scripts/cohort.py"


checkpoint populations:
    "Decide who is generic and who is personal."
    input:
        draws=out("cohort/draws.parquet"),
        quality=cohort_quality,
    output:
        populations=out("cohort/populations.parquet"),
        generic=out("cohort/generic.parquet"),
        personal=out("cohort/personal.parquet"),
        flow=out("cohort/flow.json"),
    log:
        log_of("populations"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        recipe=study.digest("populations"),
    script:
        "../workflow/scripts/populations.py"


rule characteristics:
    "Describe both populations as the paper's Table 1 does."
    input:
        patients=clinical_table("PATIENTS"),
        populations=out("cohort/populations.parquet"),
        generic=out("cohort/generic.parquet"),
        quality=cohort_quality,
    output:
        out("cohort/characteristics.json"),
    log:
        log_of("characteristics"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        recipe=study.digest("populations"),
    script:
        "../workflow/scripts/characteristics.py"
