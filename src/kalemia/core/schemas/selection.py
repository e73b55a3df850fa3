"""Files of evaluation/ that show what inclusion favors."""

import pyarrow as pa

from kalemia.core.schemas.declaration import ANALYTE_UNIT, Column, Table, with_bounds

SELECTION_TABLES = (
    Table(
        "losses",
        "evaluation/losses.parquet",
        "One row per step of the inclusion flow, one per reason in it, and one for all steps that judge the ECG: the"
        " draws lost of each class. The intervals know that draws of one person are alike (docs/cohort.md).",
        (
            Column("step", pa.string(), "step of the inclusion flow"),
            Column("reason", pa.string(), "reason within the step; null for the whole step"),
            *(
                column
                for name in ("positive", "negative", "unlabeled")
                for column in (
                    Column(f"{name}_entered", pa.int32(), f"{name} draws that came to the step"),
                    Column(f"{name}_lost", pa.int32(), "those of them that were lost"),
                    Column(f"{name}_median", pa.float32(), "median of the values lost", ANALYTE_UNIT),
                    Column(f"{name}_lowest", pa.float32(), "lowest of them", ANALYTE_UNIT),
                    Column(f"{name}_highest", pa.float32(), "highest of them", ANALYTE_UNIT),
                )
            ),
            *with_bounds(
                Column(
                    "difference",
                    pa.float64(),
                    "share lost of the positive draws less that of the negative ones; null where a step takes classes"
                    " on purpose",
                )
            ),
        ),
        on_page=True,
    ),
    Table(
        "evaluable",
        "evaluation/evaluable.parquet",
        "How patients who are evaluable in at least one arm differ from all others with a labeled value: one row per"
        " measure, over people.",
        (
            Column("measure", pa.string(), "age, men, draws, positive_draws, value, highest_value"),
            *(
                column
                for name in ("evaluable", "others")
                for column in (
                    Column(f"{name}_people", pa.int32(), "people whose value is known"),
                    Column(f"{name}_mean", pa.float64(), "mean over people; a share for men"),
                    Column(f"{name}_sd", pa.float64(), "standard deviation; null for men"),
                )
            ),
            *with_bounds(Column("difference", pa.float64(), "mean of the evaluable patients less that of the others")),
        ),
        on_page=True,
    ),
)
