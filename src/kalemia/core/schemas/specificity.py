"""Files of evaluation/ that ask whether it is the study's own analyte that is read."""

import pyarrow as pa

from kalemia.core.schemas.declaration import (
    ARM,
    AUC,
    METRICS,
    N_NEGATIVE,
    N_POSITIVE,
    SUBJECT_ID,
    Column,
    JsonFile,
    Table,
)

_CONTROL = Column("control", pa.string(), "the other analyte, one of `controls`")
_TEST_RUNS = Column("test_runs", pa.int32(), "runs of one label among the test draws, in the order of time")
_WHY_NONE = Column("reason", pa.string(), "why the patient has no network on this analyte; null if there is one")


def _bounded(name: str, doc: str) -> tuple[Column, ...]:
    lower = Column(f"{name}_lower", pa.float64(), "lower one-sided 95% bound, t over patients; null if there is none")
    return Column(name, pa.float64(), doc), lower, Column(f"{name}_upper", pa.float64(), "upper one-sided 95% bound")


SPECIFICITY_TABLES = (
    Table(
        "control_runs",
        "evaluation/control_runs.parquet",
        "Networks on other analytes, in the deciding arm: one row per run, after its last round.",
        (
            ARM,
            SUBJECT_ID,
            _CONTROL,
            Column("kind", pa.string(), "own: on the labels by this analyte; shifted: on these, moved along time"),
            Column("repeat", pa.int32(), "number of the run, from 0"),
            Column("seed", pa.int64(), "seed of the run"),
            _TEST_RUNS,
            _WHY_NONE,
            *METRICS,
        ),
        other_paths=("personal/{arm}/{subject}/controls/{control}.parquet",),
    ),
    Table(
        "control_evidence",
        "evaluation/control_evidence.parquet",
        "One row per other analyte and patient of the deciding arm: what `evidence.parquet` has for claim 1.",
        (
            ARM,
            SUBJECT_ID,
            _CONTROL,
            Column("correlation", pa.float64(), "rank correlation of its values with the study's analyte, over draws"),
            N_POSITIVE,
            N_NEGATIVE,
            _TEST_RUNS,
            Column("rolling", pa.bool_(), "whether each draw is predicted by a network of the draws before it"),
            AUC,
            Column("auc_shifted", pa.float64(), "mean AUC of the runs on shifted labels; null without a run"),
            Column("n_shifted", pa.int32(), "these runs"),
            _WHY_NONE,
        ),
        on_page=True,
    ),
    Table(
        "treated",
        "evaluation/treated.parquet",
        "Test draws with and without a treatment in the hours before, after the last round: one row per arm and"
        " treatment, means over patients who have both kinds of draws.",
        (
            ARM,
            Column("treatment", pa.string(), "calcium, insulin, bicarbonate, dialysis, or any of them"),
            Column("draws", pa.int32(), "test draws with the treatment, of all patients"),
            Column("patients", pa.int32(), "patients who have an AUC of either kind of draws"),
            Column("auc_treated", pa.float64(), "mean AUC of their draws with the treatment"),
            Column("auc_untreated", pa.float64(), "mean AUC of those without"),
            *_bounded("difference", "mean of the former less the latter"),
            Column("score_patients", pa.int32(), "patients whose scores can be compared at the same value"),
            *_bounded(
                "score",
                "mean score with the treatment less that without, at the same value of the analyte, in SDs of the"
                " patient's scores",
            ),
        ),
        on_page=True,
    ),
    JsonFile(
        "evaluation/controls.json",
        "whether each other analyte is read, by the rule of claim 1, and how much less than the study's own",
        on_page=True,
    ),
)
