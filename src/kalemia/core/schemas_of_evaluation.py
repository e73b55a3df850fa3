"""What is in the tables of statistics under evaluation/: intervals, tests, resamples, and real prevalence."""

import pyarrow as pa

_BOUNDS = [("low", pa.float64()), ("high", pa.float64())]


def _with_bounds(name: str) -> list[tuple[str, pa.DataType]]:
    return [(column, pa.float64()) for column in (name, f"{name}_low", f"{name}_high")]


EVALUATION_SCHEMAS: dict[str, pa.Schema] = {
    # one row a personal patient, arm, round, way to decide and metric, over the test draws
    "patient_metrics": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("round", pa.int32()),
            ("decision", pa.string()),  # vote, mean_logit, threshold; null for what needs none
            ("metric", pa.string()),
            ("n_draws", pa.int32()),  # that the metric rests on
            ("value", pa.float64()),
            *_BOUNDS,
        ]
    ),
    # one row an arm, round, way to decide and metric, over patients; who has fewer rounds keeps the last
    "averages": pa.schema(
        [
            ("arm", pa.string()),
            ("round", pa.int32()),
            ("decision", pa.string()),
            ("metric", pa.string()),
            ("patients", pa.int32()),  # who have the metric
            ("mean", pa.float64()),
            *_BOUNDS,
            ("sd", pa.float64()),  # n - 1
            ("median", pa.float64()),
            ("lower_quartile", pa.float64()),
            ("upper_quartile", pa.float64()),
        ]
    ),
    # one row an arm, what it is compared with, round and metric
    "tests": pa.schema(
        [
            ("arm", pa.string()),
            ("against", pa.string()),  # generic (round 0 of the same arm), or the same round of another arm
            ("round", pa.int32()),
            ("decision", pa.string()),
            ("metric", pa.string()),
            ("patients", pa.int32()),  # who have the metric on both sides
            ("difference", pa.float64()),  # mean over them
            *_BOUNDS,
            ("mann_whitney_u", pa.float64()),
            ("mann_whitney_p", pa.float64()),
            ("mann_whitney_holm", pa.float64()),  # p adjusted over the rounds
            ("wilcoxon", pa.float64()),  # the smaller sum of signed ranks
            ("wilcoxon_p", pa.float64()),
            ("wilcoxon_holm", pa.float64()),
        ]
    ),
    # one row a personal patient, arm and resample of the patient's test draws
    "resampled_draws": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("resample", pa.int32()),
            ("draw_ids", pa.list_(pa.int64())),  # as often as drawn
        ]
    ),
    # one row a resample of the patients of an arm, or of those whom two arms share
    "resampled_patients": pa.schema(
        [
            ("arm", pa.string()),
            ("against", pa.string()),  # the other arm; null for an arm alone, and its rounds against each other
            ("resample", pa.int32()),
            ("subject_ids", pa.list_(pa.int32())),  # as often as drawn
            ("turns", pa.list_(pa.int32())),  # which resample of the patient's draws, one for each of them
        ]
    ),
    # one row a personal patient and arm
    "effective": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("n_test", pa.int32()),
            ("episodes", pa.int32()),  # runs of one label that hold test draws
            ("correlation", pa.float64()),  # of scores within an episode, over all patients of the arm; null if unknown
            ("effective_draws", pa.float64()),
        ]
    ),
    # one row a personal patient and arm: the test period, in which every draw is scored
    "periods": pa.schema(
        [
            ("arm", pa.string()),
            ("subject_id", pa.int32()),
            ("n_draws", pa.int32()),
            ("n_positive", pa.int32()),
            ("n_negative", pa.int32()),
            ("n_neither", pa.int32()),  # between the classes, or on the far side of the negative one
            ("patient_days", pa.int32()),  # calendar days with a draw
        ]
    ),
    # one row an arm and round, over all draws of all test periods
    "prevalence": pa.schema(
        [
            ("arm", pa.string()),
            ("round", pa.int32()),
            ("patients", pa.int32()),
            ("patient_days", pa.int32()),
            ("n_draws", pa.int32()),
            ("n_positive", pa.int32()),
            *_with_bounds("prevalence"),
            ("mean_probability", pa.float64()),
            *_with_bounds("auroc"),
            *_with_bounds("auprc"),
            *_with_bounds("brier"),
            ("calibration_slope", pa.float64()),
            ("calibration_intercept", pa.float64()),
        ]
    ),
    # one row an arm and part of its test draws, by what was predicted after the last round
    "calibration": pa.schema(
        [
            ("arm", pa.string()),
            ("patients", pa.int32()),
            ("n_draws", pa.int32()),
            ("predicted", pa.float64()),  # mean probability
            *_with_bounds("observed"),  # share positive
        ]
    ),
    # one row an arm, round and rule of alerting, over all draws of all test periods
    "alerts": pa.schema(
        [
            ("arm", pa.string()),
            ("round", pa.int32()),
            ("rule", pa.string()),  # vote, mean_logit, threshold, or the sensitivity that is reached
            ("n_alerts", pa.int32()),
            ("sensitivity", pa.float64()),
            ("specificity", pa.float64()),
            *_with_bounds("ppv"),
            ("npv", pa.float64()),
            *_with_bounds("alerts_a_day"),
            ("false_alerts_a_day", pa.float64()),
        ]
    ),
    # one row an arm, round and threshold probability, over all draws of all test periods
    "decision_curve": pa.schema(
        [
            ("arm", pa.string()),
            ("round", pa.int32()),
            ("probability", pa.float64()),
            ("net_benefit", pa.float64()),
            ("treat_all", pa.float64()),
        ]
    ),
}
