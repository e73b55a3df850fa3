# Who is studied, and which draws.
# Needs:  the clinical tables, and the master headers of the recordings.
# Makes:  cohort/draws.parquet with every value of the analyte, cohort/subjects.parquet with who has draws to read,
#         cohort/unreadable.parquet with the recordings whose headers cannot be used or whose date cannot be right;
#         after quality is known, the populations, the generic and the personal draws, the inclusion flow, the context
#         of every draw, the characteristics of both populations, and the failure ledger.


checkpoint cohort:
    "Match every draw with a recording, and choose the draws to read."
    input:
        tables=cohort_tables(),
        waveforms=waveforms_of(with_own_files),
    output:
        draws=out("cohort/draws.parquet"),
        subjects=out("cohort/subjects.parquet"),
        unreadable=out("cohort/unreadable.parquet"),
    log:
        log_of("cohort"),
    benchmark:
        time_of("cohort")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(720),
        download=int(is_url(study.waveforms)),
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
    benchmark:
        time_of("populations")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        recipe=study.digest("populations"),
    script:
        "../workflow/scripts/populations.py"


rule context:
    "Say what was known of the patient at each draw, beside the ECG."
    input:
        draws=out("cohort/draws.parquet"),
        admissions=people_tables(),
        tables=[clinical_table(name) for name in treatment_tables()],
        quality=cohort_quality,
    output:
        out("cohort/context.parquet"),
    log:
        log_of("context"),
    benchmark:
        time_of("context")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        recipe=study.digest("context"),
        given=treatment_tables(),
    script:
        "../workflow/scripts/context.py"


if body_file():

    rule body:
        "Gather heights and weights."
        input:
            clinical_table(BODY_TABLE),
        output:
            body_file(),
        log:
            log_of("body"),
        benchmark:
            time_of("body")
        conda:
            "../envs/signal.yaml"
        resources:
            mem_mb=growing(2000),
            runtime=growing(120),
        params:
            recipe=study.digest("body"),
        script:
            "../workflow/scripts/body.py"


rule characteristics:
    "Describe both populations as the paper's Table 1 does."
    input:
        people=people_tables(),
        body=body_file(),
        populations=out("cohort/populations.parquet"),
        generic=out("cohort/generic.parquet"),
        quality=cohort_quality,
    output:
        out("cohort/characteristics.json"),
    log:
        log_of("characteristics"),
    benchmark:
        time_of("characteristics")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        recipe=study.digest("characteristics"),
    script:
        "../workflow/scripts/characteristics.py"


rule ledger:
    "List every recording and draw that could not be used, and why."
    input:
        draws=out("cohort/draws.parquet"),
        unreadable=out("cohort/unreadable.parquet"),
        excerpts=cohort_excerpts,
        quality=cohort_quality,
    output:
        out("cohort/ledger.parquet"),
    log:
        log_of("ledger"),
    benchmark:
        time_of("ledger")
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        recipe=study.digest("ledger"),
    script:
        "../workflow/scripts/ledger.py"
