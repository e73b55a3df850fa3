"""Metrics on draws, the unit of every result; for comparison with Chiu 2022 also on single beats."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.stats.discrimination import counts_by_score, roc_and_pr_auc
from kalemia.stats.summaries import mean
from kalemia.stats.tests_and_intervals import round_for_ties

METRICS = ("accuracy", "auc", "sensitivity", "specificity")
BEAT_METRICS = tuple(f"beat_{metric}" for metric in METRICS)


def draw_decisions(votes: np.ndarray, n_beats: np.ndarray, logit: np.ndarray, decision: str) -> np.ndarray:
    """The decision on each draw, int8 (n,): 1 is positive.

    vote: more than half of the draw's beats are positive (Chiu 2022); the mean logit decides a tie.
    mean_logit: the mean logit of the beats is above 0.
    """
    by_logit = logit > 0
    if decision == "mean_logit":
        return by_logit.astype(np.int8)
    return np.where(2 * votes == n_beats, by_logit, 2 * votes > n_beats).astype(np.int8)


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The threshold on scores (n,) with the largest balanced accuracy; of several the middle of the widest gap.

    That is the largest sensitivity + specificity - 1 (Youden, Cancer 1950;3:32). Labels (n,) hold both classes.
    """
    values = np.unique(scores)
    middles = np.array([values[0] - 1, *(values[1:] + values[:-1]) / 2, values[-1] + 1])
    widths = np.array([0, *np.diff(values), 0])
    said = scores[None, :] > middles[:, None]
    balanced = said[:, labels == 1].mean(axis=1) + (~said[:, labels == 0]).mean(axis=1)
    return float(middles[np.lexsort((widths, round_for_ties(balanced)))[-1]])


def area_under_roc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of scores (n,) for labels (n,) of 0 and 1, ties counting half; NaN without a class."""
    return float(roc_and_pr_auc(*counts_by_score(labels, scores))[0]) if len(scores) else float("nan")


def concordance(values: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of draws (n,) with different values that the scores put in their order, ties half.

    Of two values it is the area under the ROC curve (Harrell et al., JAMA 1982;247:2543). NaN if all values are equal.
    """
    order = np.sign(values[:, None] - values[None, :])
    pairs = order > 0
    return mean(0.5 + 0.5 * np.sign(scores[:, None] - scores[None, :])[pairs])


def draw_metrics(labels: np.ndarray, scores: np.ndarray, decisions: np.ndarray) -> dict[str, float]:
    """The paper's four metrics over labeled draws (labels 0 or 1); NaN where a class is empty."""
    positive, negative = labels == 1, labels == 0
    right = decisions == labels
    return {
        "accuracy": mean(right),
        "auc": area_under_roc(labels, scores),
        "sensitivity": mean(right[positive]),
        "specificity": mean(right[negative]),
    }


def role_metrics(predictions: pa.Table, role: str) -> dict:
    """`draw_metrics` and counts over the labeled draws of one role in a predictions table."""
    rows = _labeled_rows(predictions, role)
    labels = rows["label"].to_numpy()
    metrics = draw_metrics(labels, rows["logit"].to_numpy(), rows["decision"].to_numpy())
    return {"n_test": len(labels), "n_positive": int(np.sum(labels == 1)), **metrics}


def beat_metrics(predictions: pa.Table, role: str) -> dict[str, float]:
    """`BEAT_METRICS`, as `draw_metrics` over the beats of the labeled draws of one role, with their labels."""
    rows = _labeled_rows(predictions, role)
    beats = rows["beat_logits"].combine_chunks()
    labels = np.repeat(rows["label"].to_numpy(), pc.list_value_length(beats).fill_null(0).to_numpy())
    logits = beats.flatten().to_numpy()
    return {f"beat_{metric}": value for metric, value in draw_metrics(labels, logits, logits > 0).items()}


def _labeled_rows(predictions: pa.Table, role: str) -> pa.Table:
    return predictions.filter(pc.and_(pc.equal(predictions["role"], role), pc.is_valid(predictions["label"])))
