# The subjects and draws of the study.
# Needs:  the clinical tables, and the master headers of the recordings.
# Makes:  cohort/draws.parquet: every value of the analyte; cohort/subjects.parquet: the subjects with draws to read;
#         cohort/unreadable.parquet: recordings with an unusable header or an impossible date;
#         cohort/subject_names.parquet: what people call the subjects.
#         After the quality of beats is known: the populations, the draws of the generic and of the personal patients,
#         the inclusion flow and the outcome of every draw, the other analytes of `controls`, the clinical context of every draw, the characteristics of both
#         populations, everybody's age and gender, and the ledger of exclusions.


checkpoint cohort:
    "Match every draw with a recording and select the draws to read."
    input:
        tables=cohort_tables,
        waveforms=recording_files(),
    output:
        draws=result_path("cohort/draws.parquet"),
        subjects=result_path("cohort/subjects.parquet"),
        unreadable=result_path("cohort/unreadable.parquet"),
        names=result_path("cohort/subject_names.parquet"),
    log:
        log_path("cohort"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(4000),
        runtime=time_limit(720),
        download=int(source.downloads_recordings),
    params:
        recipe=study.digest("cohort"),
    script:
        "../workflow/scripts/cohort.py"


checkpoint populations:
    "Assign subjects to the generic and the personal population."
    input:
        draws=result_path("cohort/draws.parquet"),
        quality=per_subject(result_path.quality),
    output:
        populations=result_path("cohort/populations.parquet"),
        generic=result_path("cohort/generic.parquet"),
        personal=result_path("cohort/personal.parquet"),
        outcomes=result_path("cohort/outcomes.parquet"),
        flow=result_path("cohort/flow.json"),
    log:
        log_path("populations"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(2000),
        runtime=time_limit(30),
    params:
        recipe=study.digest("populations"),
    script:
        "../workflow/scripts/populations.py"


rule context:
    "Collect what was known about the patient at each draw, apart from the ECG."
    input:
        draws=result_path("cohort/draws.parquet"),
        admissions=people_tables,
        tables=[source.table_path(name) for name in treatment_tables],
        quality=per_subject(result_path.quality),
    output:
        result_path("cohort/context.parquet"),
    log:
        log_path("context"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(4000),
        runtime=time_limit(60),
    params:
        recipe=study.digest("context"),
        available=treatment_tables,
    script:
        "../workflow/scripts/context.py"


rule control_values:
    "Find the value of another analyte nearest to each draw of the personal candidates."
    input:
        tables=cohort_tables,
        draws=result_path("cohort/draws.parquet"),
    output:
        result_path("cohort/control-{control}.parquet"),
    log:
        log_path("control-{control}"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(4000),
        runtime=time_limit(60),
    params:
        recipe=study.digest("control_values"),
    script:
        "../workflow/scripts/control_values.py"


if has_heights_and_weights:

    rule height_weight:
        "Collect heights and weights."
        input:
            source.table_path(HEIGHT_WEIGHT_TABLE),
        output:
            result_path("cohort/height_weight.parquet"),
        log:
            log_path("height_weight"),
        conda:
            "../envs/signal.yaml"
        resources:
            mem_mb=scale_with_attempt(2000),
            runtime=time_limit(120),
        params:
            recipe=study.digest("height_weight"),
        script:
            "../workflow/scripts/height_weight.py"


rule characteristics:
    "Describe both populations, as in the paper's Table 1, and list everybody's age and gender."
    input:
        draws=result_path("cohort/draws.parquet"),
        people=people_tables,
        body=(
            result_path("cohort/height_weight.parquet")
            if has_heights_and_weights
            else []
        ),
        populations=result_path("cohort/populations.parquet"),
        generic=result_path("cohort/generic.parquet"),
        quality=per_subject(result_path.quality),
    output:
        characteristics=result_path("cohort/characteristics.json"),
        people=result_path("cohort/people.parquet"),
    log:
        log_path("characteristics"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(2000),
        runtime=time_limit(30),
    params:
        recipe=study.digest("characteristics"),
    script:
        "../workflow/scripts/characteristics.py"


rule ledger:
    "List every recording and draw that could not be used, with the reason."
    input:
        draws=result_path("cohort/draws.parquet"),
        unreadable=result_path("cohort/unreadable.parquet"),
        names=result_path("cohort/subject_names.parquet"),
        excerpts=per_subject(result_path.excerpts),
        quality=per_subject(result_path.quality),
    output:
        table=result_path("cohort/ledger.parquet"),
        csv=result_path("cohort/ledger.csv"),
    log:
        log_path("ledger"),
    conda:
        "../envs/signal.yaml"
    resources:
        mem_mb=scale_with_attempt(2000),
        runtime=time_limit(30),
    params:
        recipe=study.digest("ledger"),
    script:
        "../workflow/scripts/ledger.py"
