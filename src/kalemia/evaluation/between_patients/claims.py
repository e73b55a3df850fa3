"""Two claims about the generic network on its test people, decided by a rule fixed beforehand (docs/method.md)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.tables import read_table, write_json
from kalemia.core.wording import display_name, plural
from kalemia.evaluation.between_patients.comparators import COMPARATORS
from kalemia.evaluation.claims.rule import EXCLUDED, OPEN, SHOWN
from kalemia.stats.clustered_auc import auc_difference
from kalemia.stats.clustered_shares import Difference
from kalemia.stats.discrimination import auroc_interval
from kalemia.stats.draw_metrics import area_under_roc

BETWEEN_RULE_VERSION = 1  # raise it with every change of this rule; it is part of what is registered
MIN_PEOPLE = 8  # of each class
CHANCE = "chance"
CLAIMS = {  # in the order in which they are tested; all comparisons of one must hold
    "reads": ("The generic network reads something about {analyte} from the ECG of people it never saw", (CHANCE,)),
    "needs_network": ("Simpler methods do not read it as well", COMPARATORS),
}


def write_between_patients(
    predictions_path: str | Path, comparators_path: str | Path, smallest_gain: float, analyte: str, path: str | Path
) -> None:
    """Write both claims with their figures as JSON, from the generic network's predictions and the comparators."""
    predictions = read_table(predictions_path, "predictions").sort_by("draw_id")
    test = predictions.filter(pc.equal(predictions["role"], "test"))
    comparators = read_table(comparators_path, "comparators").sort_by("draw_id")
    others = {name: comparators.filter(pc.equal(comparators["baseline"], name)) for name in COMPARATORS}
    write_json(path, decide_between_patients(test, others, smallest_gain, analyte))


def decide_between_patients(test: pa.Table, others: dict[str, pa.Table], smallest_gain: float, analyte: str) -> dict:
    """The people of each class, and each claim with its state, reason and comparisons.

    test: predictions of test draws; others: by comparator the scores of the same draws, in the same order. A comparison
    is shown if its 95% interval is above 0, excluded if it is below `smallest_gain`. The second claim is tested only if
    the first is shown.
    """
    labels, logit = test["label"].to_numpy(), test["logit"].to_numpy()
    _, person = np.unique(test["subject_id"].to_numpy(), return_inverse=True)
    people = {name: len(np.unique(person[labels == label])) for label, name in ((1, "positive"), (0, "negative"))}
    enough = min(people.values()) >= MIN_PEOPLE
    found, stopped_by = {}, None
    for name, (words, comparisons) in CLAIMS.items():
        figures = []
        for against in comparisons:
            other = np.zeros(len(labels)) if against == CHANCE else others[against]["score"].to_numpy()
            gain = _gain(labels, logit, person, None if against == CHANCE else other)
            figures.append(
                {
                    "against": against,
                    "words": CHANCE if against == CHANCE else f"the {display_name(against)} comparator",
                    "auc": area_under_roc(labels, logit),
                    "auc_against": area_under_roc(labels, other),
                    **gain._asdict(),
                    "state": _state(gain, smallest_gain) if enough else OPEN,
                }
            )
        state, reason = (OPEN, f"not tested, because “{stopped_by}” is not shown") if stopped_by else _decide(figures)
        if not stopped_by and not enough:
            few, n = min(people.items(), key=lambda item: item[1])
            has = f"{plural(n, 'person')} with {few} draws"
            reason = f"the test has {has}, and at least {MIN_PEOPLE} of each class are needed"
        found[name] = {
            "claim": words.format(analyte=analyte),
            "state": state,
            "reason": reason,
            "comparisons": figures,
        }
        if state != SHOWN:
            stopped_by = stopped_by or name.replace("_", " ")
    return {"rule": BETWEEN_RULE_VERSION, "draws": len(labels), "people": people, "claims": found}


def claims_in_order(between: dict) -> list[tuple[str, dict]]:
    """The claims as read from JSON, in the order in which they are tested."""
    return [(name, between["claims"][name]) for name in CLAIMS]


def _gain(labels: np.ndarray, logit: np.ndarray, person: np.ndarray, other: np.ndarray | None) -> Difference:
    """The AUC beyond that of another score, or beyond chance, with its interval over people.

    Against chance the interval is that of `discrimination`, which also holds near 1.
    """
    if other is not None:
        return auc_difference(labels, logit, other, person)
    auc = area_under_roc(labels, logit)
    low, high = auroc_interval(auc, labels, person)
    return Difference(auc - 0.5, low - 0.5, high - 0.5)


def _state(gain: Difference, smallest_gain: float) -> str:
    if gain.low > 0:
        return SHOWN
    return EXCLUDED if gain.high < smallest_gain else OPEN


def _decide(figures: Sequence[dict]) -> tuple[str, str]:
    """The state of a claim and the reason in words: shown if all comparisons are, excluded if one is, else open."""
    for state in (EXCLUDED, OPEN):
        for figure in figures:
            if figure["state"] == state:
                return state, _in_words(figure)
    return SHOWN, "; ".join(map(_in_words, figures))


def _in_words(figure: dict) -> str:
    bounds = f"{figure['low']:+.2f} to {figure['high']:+.2f}"
    known = f"95% interval {bounds}" if np.isfinite(figure["low"]) else "no interval, because neither score errs"
    return f"against {figure['words']}: AUC {figure['difference']:+z.2f} ({known})"
