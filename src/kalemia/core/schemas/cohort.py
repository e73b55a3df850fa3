"""Tables of the cohort: draws, context, subjects, exclusions and populations."""

import pyarrow as pa

from kalemia.core.schemas.declaration import (
    ANALYTE_UNIT,
    DETAIL,
    DRAW_ID,
    DRAW_TIME,
    HADM_ID,
    LABEL,
    N_NEGATIVE,
    N_POSITIVE,
    REASON,
    RECORDING,
    SAMPLE_FROM,
    SUBJECT_ID,
    TIME,
    VALUE,
    Column,
    Table,
)

COHORT_TABLES = (
    Table(
        "draws",
        "cohort/draws.parquet",
        "Every value of the analyte, usable or not: one row per laboratory draw.",
        (
            DRAW_ID,
            SUBJECT_ID,
            HADM_ID,
            Column("item_id", pa.int32(), "ITEMID of the laboratory table"),
            Column("draw_time", TIME, "when the blood was drawn; null if it is not known"),
            Column("result_time", TIME, "when the result was known; null if the laboratory table does not say"),
            VALUE,
            Column("label", pa.int8(), "1 positive, 0 negative, null neither, or no reliable value"),
            Column(
                "flags",
                pa.list_(pa.string()),
                "what is unusual about the value, whether or not it excludes the draw: no time, no value, comparator,"
                " contradiction, other unit, implausible value, hemolyzed, conflicting twins, twin, contaminated",
            ),
            RECORDING,
            SAMPLE_FROM,
            Column("sample_to", pa.int64(), "end of the window, exclusive"),
            Column(
                "minutes_from_ecg",
                pa.float64(),
                "from the start of the paired ECG to the draw, below 0 if the draw came first; null without"
                " cohort.pairing_hours",
                "min",
            ),
            Column(
                "candidate_population",
                pa.string(),
                "population for which the draw is read: personal or generic; null if it is not read",
            ),
            REASON,
            DETAIL,
        ),
    ),
    Table(
        "context",
        "cohort/context.parquet",
        "What was known about the patient at the time of each draw: one row per draw of `draws.parquet` with a time.",
        (
            SUBJECT_ID,
            DRAW_ID,
            DRAW_TIME,
            Column(
                "last_value",
                pa.float32(),
                "last value whose result was available by then; null if there was none",
                ANALYTE_UNIT,
            ),
            Column(
                "last_label",
                pa.int8(),
                "label of the last such value that has one: 1 positive, 0 negative; null if none has",
            ),
            Column("hours_since_last", pa.float32(), "time since the draw of `last_value`", "h"),
            Column("hours_since_admission", pa.float32(), "time since admission; null outside any admission", "h"),
            Column("admission_id", pa.int32(), "HADM_ID; null outside any admission"),
            Column("heart_rate_bpm", pa.float32(), "heart rate of the excerpt; null if it was not read", "1/min"),
            Column("calcium", pa.bool_(), "given in the hours before the draw; null if no table records it"),
            Column("insulin", pa.bool_(), "as `calcium`"),
            Column("bicarbonate", pa.bool_(), "as `calcium`"),
            Column("dialysis", pa.bool_(), "as `calcium`"),
        ),
    ),
    Table(
        "control_values",
        "cohort/control-{control}.parquet",
        "One of `controls` at the draws of personal candidates: one row per draw that has a value near it.",
        (
            SUBJECT_ID,
            DRAW_ID,
            Column("value", pa.float64(), "the nearest value, in the unit of the analyte"),
            Column("hours", pa.float32(), "time from the draw to it; below 0 if it is earlier", "h"),
        ),
    ),
    Table(
        "height_weight",
        "cohort/height_weight.parquet",
        "Heights and weights from CHARTEVENTS, if that table is given: one row per measurement.",
        (
            SUBJECT_ID,
            Column("time", TIME, "time of charting"),
            Column("height_cm", pa.float32(), "height; null in a row of weight", "cm"),
            Column("weight_kg", pa.float32(), "weight; null in a row of height", "kg"),
        ),
    ),
    Table(
        "subjects",
        "cohort/subjects.parquet",
        "Subjects who have draws to read, and the population that each is a candidate for.",
        (
            SUBJECT_ID,
            Column("candidate_population", pa.string(), "personal or generic"),
        ),
    ),
    Table(
        "subject_names",
        "cohort/subject_names.parquet",
        "What people call the subjects, on pages and in `ledger.csv`: one row per subject of your own tables, none for"
        " other sources, whose subjects are called as in paths.",
        (
            SUBJECT_ID,
            Column("name", pa.string(), "as first written in recordings.csv or potassium.csv"),
        ),
    ),
    Table(
        "ledger",
        "cohort/ledger.parquet",
        "Recordings and draws that could not be used: one row each. `unreadable.parquet` holds the recordings only.",
        (
            SUBJECT_ID,
            Column("draw_id", pa.int64(), "ROW_ID of the laboratory table; null for a recording"),
            RECORDING,
            Column("reason", pa.string(), "why not used: one of the reasons in `src/kalemia/cohort/inclusion_flow.py`"),
            DETAIL,
        ),
        other_paths=("cohort/unreadable.parquet",),
    ),
    Table(
        "outcomes",
        "cohort/outcomes.parquet",
        "What became of every draw of `draws.parquet`, in the order of that table.",
        (
            SUBJECT_ID,
            DRAW_ID,
            VALUE,
            LABEL,
            Column("reason", pa.string(), "why the draw is not used, after quality and review; null if it is used"),
        ),
    ),
    Table(
        "people",
        "cohort/people.parquet",
        "One row per subject with a value.",
        (
            SUBJECT_ID,
            Column("age_years", pa.float32(), "age at the first draw; null if it is not known", "years"),
            Column("gender", pa.string(), "M or F; null if it is not known"),
        ),
    ),
    Table(
        "populations",
        "cohort/populations.parquet",
        "One row per subject whose ECG was read.",
        (
            SUBJECT_ID,
            Column("population", pa.string(), "personal, generic, or null"),
            Column("split", pa.string(), "train, validation, test; null outside the generic population"),
            N_POSITIVE,
            N_NEGATIVE,
            Column("n_draws", pa.int32(), "usable draws"),
            REASON,
        ),
    ),
    Table(
        "generic",
        "cohort/generic.parquet",
        "The draws of the generic network: one row per draw.",
        (
            SUBJECT_ID,
            DRAW_ID,
            LABEL,
            Column("split", pa.string(), "train, validation, test"),
        ),
    ),
    Table(
        "personal",
        "cohort/personal.parquet",
        "The usable draws of the personal patients: one row per draw.",
        (
            SUBJECT_ID,
            DRAW_ID,
            DRAW_TIME,
            LABEL,
            HADM_ID,
            RECORDING,
        ),
    ),
)
