"""Files of evaluation/ on calibration, and on every draw of the evaluation periods with the alerts it would cause."""

import pyarrow as pa

from kalemia.core.schemas.declaration import (
    ARM,
    N_DRAWS,
    N_NEGATIVE,
    N_POSITIVE,
    PATIENTS,
    ROUND,
    SUBJECT_ID,
    Column,
    Table,
    with_bounds,
)

PREVALENCE_TABLES = (
    Table(
        "evaluation_periods",
        "evaluation/evaluation_periods.parquet",
        "One row per patient and arm: the evaluation period ([method.md](../method.md)), in which every scored draw"
        " counts.",
        (
            ARM,
            SUBJECT_ID,
            N_DRAWS,
            N_POSITIVE,
            N_NEGATIVE,
            Column("n_neither", pa.int32(), "draws without a label"),
            Column("patient_days", pa.int32(), "calendar days with a draw"),
        ),
        on_page=True,
    ),
    Table(
        "prevalence",
        "evaluation/prevalence.parquet",
        "One row per arm and round, over all draws of all evaluation periods; draws without a label count as"
        " negative. The intervals resample patients.",
        (
            ARM,
            ROUND,
            PATIENTS,
            Column("patient_days", pa.int32(), "calendar days with a draw, of all patients"),
            N_DRAWS,
            N_POSITIVE,
            *with_bounds(
                Column("prevalence", pa.float64(), "share of draws that are positive, of patients chosen for them")
            ),
            Column("mean_probability", pa.float64(), "mean predicted probability"),
            Column("patients_with_both", pa.int32(), "patients with a positive draw and another one"),
            *with_bounds(
                Column("within_auroc", pa.float64(), "mean over them of the AUROC of each patient's own draws")
            ),
            *with_bounds(Column("brier", pa.float64(), "mean squared error of the probability")),
            Column("calibration_slope", pa.float64(), "1 is ideal, below 1 too extreme; null if not finite"),
            Column("calibration_intercept", pa.float64(), "0 is ideal, above 0 predictions are too low"),
        ),
        on_page=True,
    ),
    Table(
        "calibration",
        "evaluation/calibration.parquet",
        "One row per arm and bin of the test draws of all its patients, from the lowest predictions after the last"
        " round to the highest. An arm with fewer than 16 test draws has no rows. Score intervals in which"
        " patients count.",
        (
            ARM,
            Column("patients", pa.int32(), "patients of the whole arm"),
            Column("n_draws", pa.int32(), "test draws in the bin"),
            Column("predicted", pa.float64(), "mean predicted probability"),
            *with_bounds(Column("observed", pa.float64(), "share of draws that are positive")),
        ),
        on_page=True,
    ),
    Table(
        "alerts",
        "evaluation/alerts.parquet",
        "One row per arm, round and alert rule, over all draws of all evaluation periods. The intervals resample"
        " patients.",
        (
            ARM,
            ROUND,
            Column(
                "rule",
                pa.string(),
                "vote, mean_logit, threshold; or `sensitivity 0.8` and `sensitivity 0.9`, the point of the ROC curve"
                " at which these draws reach it",
            ),
            Column("n_alerts", pa.int32(), "draws with an alert"),
            Column("sensitivity", pa.float64(), "share of positive draws with an alert"),
            Column("specificity", pa.float64(), "share of negative draws without an alert"),
            *with_bounds(Column("ppv", pa.float64(), "share of alerts that are correct")),
            *(
                column
                for percent in (3, 5, 10)
                for column in with_bounds(
                    Column(f"ppv_at_{percent}", pa.float64(), f"the same if {percent}% of draws were positive")
                )
            ),
            Column("npv", pa.float64(), "share of draws without an alert that are negative"),
            *with_bounds(Column("alerts_a_day", pa.float64(), "alerts per patient-day", "1/d")),
            Column("false_alerts_a_day", pa.float64(), "false alerts per patient-day", "1/d"),
        ),
        on_page=True,
    ),
    Table(
        "decision_curve",
        "evaluation/decision_curve.parquet",
        "One row per arm, round and threshold probability, over all draws of all evaluation periods. Never alerting"
        " has a net benefit of 0.",
        (
            ARM,
            ROUND,
            Column("probability", pa.float64(), "threshold: alert from this probability on"),
            Column(
                "net_benefit",
                pa.float64(),
                "true alerts per draw, minus false alerts weighted by the odds of `probability`",
            ),
            Column("treat_all", pa.float64(), "net benefit of always alerting"),
        ),
        on_page=True,
    ),
)
