"""Files of evaluation/: metrics, intervals and comparisons; two modules beside have the others.

To add a table, add it to `EVALUATION` and write it from `kalemia.evaluation.build_evaluation`; the rules, the report's
inputs and docs/reference/files.md follow from the entry.
"""

import pyarrow as pa

from kalemia.core.negative_controls import NEGATIVE_CONTROLS
from kalemia.core.schemas.declaration import (
    ARM,
    AUC,
    BASELINE,
    DECISION,
    DRAW_ID,
    HIGH,
    METRIC,
    METRICS,
    N_NEGATIVE,
    N_POSITIVE,
    N_TEST,
    PATIENTS,
    RESAMPLE,
    ROUND,
    SHARES_AND_AUC,
    SUBJECT_ID,
    Column,
    JsonFile,
    Table,
)
from kalemia.core.schemas.prevalence import PREVALENCE_TABLES
from kalemia.core.schemas.selection import SELECTION_TABLES
from kalemia.core.schemas.specificity import SPECIFICITY_TABLES

EVALUATION = (
    Table(
        "rounds",
        "evaluation/rounds.parquet",
        "One row per patient, arm and round, over the test draws.",
        (
            ARM,
            SUBJECT_ID,
            ROUND,
            *METRICS,
            *(Column(f"beat_{of.name}", pa.float64(), f"{of.name} of single beats") for of in SHARES_AND_AUC),
        ),
        on_page=True,
    ),
    Table(
        "baseline_metrics",
        "evaluation/baseline_metrics.parquet",
        "One row per patient, arm and baseline, over the test draws. The random intercept is fitted here, because it"
        " needs all patients of an arm.",
        (
            ARM,
            SUBJECT_ID,
            BASELINE,
            *METRICS,
        ),
    ),
    Table(
        "baseline_averages",
        "evaluation/baseline_averages.parquet",
        "One row per arm and baseline, and one for the last round of the arm: means over the patients who have an"
        " AUC after the last round. These are the same patients in every row of an arm.",
        (
            ARM,
            Column("model", pa.string(), "a baseline, or `last_round`"),
            PATIENTS,
            *SHARES_AND_AUC,
        ),
        on_page=True,
    ),
    Table(
        "recalibration_gains",
        "evaluation/recalibration_gains.parquet",
        "One row per arm: the accuracy after the last round against that of the best recalibration of the generic"
        " network, over the patients of `baseline_averages.parquet`. Each patient has the recalibration that is most"
        " accurate in the others.",
        (
            ARM,
            PATIENTS,
            Column("chosen", pa.string(), "the recalibration that most patients have"),
            Column("recalibrated", pa.float64(), "mean accuracy of the recalibrations"),
            Column("last_round", pa.float64(), "mean accuracy after the last round"),
            Column("difference", pa.float64(), "mean of the latter less the former"),
            Column(
                "lower",
                pa.float64(),
                "lower one-sided 95% bound, t over patients; null if all have the same difference",
            ),
            Column("upper", pa.float64(), "upper one-sided 95% bound"),
        ),
        on_page=True,
    ),
    Table(
        "nulls",
        "evaluation/nulls.parquet",
        "Negative controls: one row per run on labels or ECG from which the answer was removed, after its last round.",
        (
            ARM,
            SUBJECT_ID,
            Column("kind", pa.string(), f"the negative control: {', '.join(NEGATIVE_CONTROLS)}"),
            Column("repeat", pa.int32(), "number of the run, from 0"),
            Column("seed", pa.int64(), "seed of the run; for `stranger`, the patient whose network it is"),
            *METRICS,
        ),
        other_paths=(
            "personal/{arm}/{subject}/nulls/{chunk}.parquet",
            "personal/{arm}/cross_patient.parquet",
        ),
    ),
    Table(
        "evidence",
        "evaluation/evidence.parquet",
        "One row per arm and patient with an AUC after the last round: the evidence for the claims. Each AUC is of the"
        " same test draws, each concordance of all draws of the evaluation period whose last value is known.",
        (
            ARM,
            SUBJECT_ID,
            N_POSITIVE,
            N_NEGATIVE,
            Column("test_runs", pa.int32(), "runs of one label among the test draws, in the order of time"),
            Column("rolling", pa.bool_(), "whether each draw is predicted by a network of the draws before it"),
            AUC,
            Column("auc_generic", pa.float64(), "AUC of the generic network"),
            Column("auc_shifted", pa.float64(), "mean AUC of the runs on shifted labels; null without a run"),
            Column("n_shifted", pa.int32(), "these runs"),
            Column("auc_strangers", pa.float64(), "mean AUC of other patients' networks; null without one"),
            Column("n_strangers", pa.int32(), "these networks"),
            Column("auc_comparator", pa.float64(), "AUC of the baseline that is `verdict.comparator`"),
            Column(
                "concordance_last_value",
                pa.float64(),
                "share of pairs of draws with different values that their last known values put in order; null without"
                " another patient",
            ),
            Column(
                "concordance_with_last_value",
                pa.float64(),
                "the same of the last known value and the network's score together, weighted as in the other patients",
            ),
        ),
        on_page=True,
    ),
    Table(
        "leakage",
        "evaluation/leakage.parquet",
        "One row per split: how much training and test draws share.",
        (
            ARM,
            SUBJECT_ID,
            Column("protocol", pa.string(), "paper, forward, episode, admission"),
            Column("n_train", pa.int32(), "training draws of all rounds"),
            N_TEST,
            Column("smallest_gap_hours", pa.float64(), "smallest time between a training and a test draw", "h"),
            Column("shared_recordings", pa.int32(), "recordings that hold both training and test draws"),
            Column("shared_segments", pa.int32(), "segments that hold both"),
            Column("shared_admissions", pa.int32(), "admissions that hold both"),
            Column("shared_episodes", pa.int32(), "runs of draws of one label that hold both"),
            Column("shared_beats", pa.int32(), "pairs of draws whose beats overlap in time"),
        ),
        on_page=True,
    ),
    Table(
        "training_distances",
        "evaluation/training_distances.parquet",
        "One row per test draw: its distance in time to the training draws.",
        (
            ARM,
            SUBJECT_ID,
            DRAW_ID,
            Column("hours_to_training", pa.float64(), "time to the nearest training draw of any round", "h"),
            Column(
                "placement_generic",
                pa.float64(),
                "share of the test draws of the other class that the generic network ranks correctly relative to"
                " this draw",
            ),
            Column("placement", pa.float64(), "the same after the last round"),
        ),
        on_page=True,
    ),
    Table(
        "patient_metrics",
        "evaluation/patient_metrics.parquet",
        "One row per patient, arm, round, decision rule and metric, over the test draws. In the intervals"
        " draws of one episode count as their effective number (`effective_sample_size.parquet`).",
        (
            ARM,
            SUBJECT_ID,
            ROUND,
            DECISION,
            METRIC,
            Column("n_draws", pa.int32(), "draws that the metric is computed from"),
            Column("value", pa.float64(), "null if undefined: no draw of a class, or no alert"),
            Column(
                "low",
                pa.float64(),
                "lower 95% bound: exact for shares of draws, a score interval for the AUC, null for other metrics",
            ),
            HIGH,
        ),
        on_page=True,
    ),
    Table(
        "averages",
        "evaluation/averages.parquet",
        "One row per arm, round, decision rule and metric, over the patients who have the metric both with the generic"
        " network and after the last round. A patient with fewer rounds keeps the last one.",
        (
            ARM,
            ROUND,
            DECISION,
            METRIC,
            Column("patients", pa.int32(), "patients who have the metric, of those who have it before and after"),
            Column("mean", pa.float64(), "mean over them"),
            Column("low", pa.float64(), "lower 95% bound from the stored resamples; null for calibration"),
            HIGH,
            Column("sd", pa.float64(), "sample standard deviation (n - 1)"),
            Column("median", pa.float64(), "median"),
            Column("lower_quartile", pa.float64(), "lower quartile"),
            Column("upper_quartile", pa.float64(), "upper quartile"),
        ),
        on_page=True,
    ),
    Table(
        "comparisons",
        "evaluation/comparisons.parquet",
        "One row per arm, reference, round and metric. Accuracy, sensitivity and specificity use the decision rule"
        " `evaluation.decision`.",
        (
            ARM,
            Column(
                "reference",
                pa.string(),
                "what the arm is compared with: `generic`, round 0 of the same arm; otherwise another arm, after the"
                " last round",
            ),
            Column("round", pa.int32(), "from 1"),
            DECISION,
            METRIC,
            Column("patients", pa.int32(), "patients who have the metric on both sides"),
            Column("difference", pa.float64(), "mean difference over them, the arm minus the reference"),
            Column("low", pa.float64(), "lower 95% bound from the stored resamples"),
            HIGH,
            Column("mann_whitney_u", pa.float64(), "U statistic"),
            Column(
                "mann_whitney_p",
                pa.float64(),
                "two-sided p value, treating the two sides as different people, as in the paper",
            ),
            Column(
                "mann_whitney_holm",
                pa.float64(),
                "p value adjusted (Holm): over the rounds; between arms over all of them and all metrics",
            ),
            Column("wilcoxon", pa.float64(), "smaller sum of signed ranks"),
            Column("wilcoxon_p", pa.float64(), "two-sided p value, paired"),
            Column(
                "wilcoxon_holm",
                pa.float64(),
                "p value adjusted (Holm): over the rounds; between arms over all of them and all metrics",
            ),
        ),
        on_page=True,
    ),
    Table(
        "resampled_draws",
        "evaluation/resampled_draws.parquet",
        "One row per patient, arm and bootstrap resample of the patient's test draws, drawn within their class.",
        (
            ARM,
            SUBJECT_ID,
            RESAMPLE,
            Column("draw_ids", pa.list_(pa.int64()), "repeated as often as drawn"),
        ),
    ),
    Table(
        "resampled_patients",
        "evaluation/resampled_patients.parquet",
        "One row per bootstrap resample of the patients of an arm, or of the patients whom two arms share. The"
        " replicate of a mean is the mean over `subject_ids` of the metric on the draws of the resample at the same"
        " position in `draw_resamples`.",
        (
            ARM,
            Column(
                "other_arm",
                pa.string(),
                "the other arm of a comparison; null for one arm and comparisons between its rounds",
            ),
            RESAMPLE,
            Column("subject_ids", pa.list_(pa.int32()), "repeated as often as drawn"),
            Column(
                "draw_resamples",
                pa.list_(pa.int32()),
                "for each of `subject_ids` its `resample` in `resampled_draws.parquet`",
            ),
        ),
    ),
    Table(
        "effective_sample_size",
        "evaluation/effective_sample_size.parquet",
        "One row per patient and arm: how many independent draws the test draws are worth.",
        (
            ARM,
            SUBJECT_ID,
            N_TEST,
            Column("episodes", pa.int32(), "runs of one label that hold test draws"),
            Column(
                "correlation",
                pa.float64(),
                "intraclass correlation of scores within an episode, one for all patients of the arm; null if it"
                " cannot be estimated",
            ),
            Column(
                "effective_draws",
                pa.float64(),
                "equivalent number of independent draws; the number of episodes if the correlation is unknown",
            ),
        ),
        on_page=True,
    ),
    *PREVALENCE_TABLES,
    *SELECTION_TABLES,
    *SPECIFICITY_TABLES,
    JsonFile("evaluation/summary.json", "mean and SD over patients of each metric, by arm and round", on_page=True),
    JsonFile(
        "evaluation/claims.json",
        "each claim in each arm: shown, excluded or open, with all figures that this rests on"
        " ([method.md](../method.md))",
        on_page=True,
    ),
    JsonFile(
        "evaluation/between_patients.json",
        "both claims about the generic network on its test people, with the figures that they rest on"
        " ([method.md](../method.md))",
        on_page=True,
    ),
)
