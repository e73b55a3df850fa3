"""The claims of a study: four statements, each shown, excluded or open, by a rule fixed beforehand (docs/method.md)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.config import Arm, Verdict
from kalemia.core.tables import read_table, write_json
from kalemia.core.wording import display_name, plural
from kalemia.personal.splits import MIN_TEST_RUNS
from kalemia.stats.one_sided_mean import MeanEstimate, detectable_gain, estimate_mean, patients_needed

RULE_VERSION = 2  # raise it with every change of this rule; it is part of what is registered
MIN_PATIENTS = 8
MIN_SHIFTED_RUNS = 19  # of a patient; with fewer their mean is too uncertain
SHOWN, EXCLUDED, OPEN = "shown", "excluded", "open"


@dataclass(frozen=True)
class Comparison:
    """What a patient's AUC is compared with: a column of the table `evidence`, and its name in a sentence.

    of: the column that should be larger. count: a column, and how large it must be for the patient to count. measure:
    what both columns are.
    """

    against: str
    words: str
    of: str = "auc"
    count: tuple[str, int] | None = None
    measure: str = "AUC"


@dataclass(frozen=True)
class Claim:
    """One statement; all of its comparisons must hold. `words` has a place for the name of the analyte."""

    words: str
    comparisons: tuple[Comparison, ...]


SHIFTED = Comparison("auc_shifted", "networks trained on shifted labels", count=("n_shifted", MIN_SHIFTED_RUNS))
CLAIMS = {  # in the order in which they are tested
    "reads": Claim("The personal network reads something about {analyte} from the patient's ECG", (SHIFTED,)),
    "personal": Claim(
        "It reads its own patient better than networks of other people do",
        (
            Comparison("auc_generic", "the generic network"),
            Comparison("auc_strangers", "other patients' networks", count=("n_strangers", 1)),
        ),
    ),
    "needs_network": Claim(
        "Simpler methods do not read it as well", (Comparison("auc_comparator", "the comparator ({comparator})"),)
    ),
    "adds": Claim(
        "It adds to the last laboratory value",
        (
            Comparison(
                "concordance_last_value",
                "the last value alone",
                of="concordance_with_last_value",
                measure="concordance",
            ),
        ),
    ),
}


def write_claims(
    evidence_path: str | Path, arms: dict[str, Arm], settings: Verdict, analyte: str, path: str | Path
) -> None:
    """Write the claims of every arm and the name of the deciding one as JSON; the settings are those of the rule."""
    evidence = read_table(evidence_path, "evidence")
    of_arms = {arm: arm_claims(rows_of_arm(evidence, arm), settings, analyte) for arm in arms}
    deciding = settings.deciding_arm(arms)
    write_json(path, {"rule": RULE_VERSION, "arm": deciding, "arms": of_arms})


def rows_of_arm(evidence: pa.Table, arm: str) -> list[dict]:
    """The rows of an arm in the table `evidence`."""
    return [row for row in evidence.to_pylist() if row["arm"] == arm]


def in_order(claims: dict[str, dict]) -> list[tuple[str, dict]]:
    """The claims of an arm as read from JSON, in the order in which they are tested."""
    return [(name, claims[name]) for name in CLAIMS if name in claims]


def arm_claims(rows: Sequence[dict], settings: Verdict, analyte: str) -> dict[str, dict]:
    """The state of each claim, from the rows of one arm in the table `evidence`.

    Claims are tested in the order of `CLAIMS`, each one-sided at 5%, and testing stops at the first that is not shown:
    so the chance of showing any false one is 5%. The figures of the others are computed all the same.
    """
    found, stopped_by = {}, None
    for name, claim in CLAIMS.items():
        figures = [
            compare(rows, _named(comparison, settings.comparator), settings.smallest_gain)
            for comparison in claim.comparisons
        ]
        state, reason = (OPEN, f"not tested, because “{stopped_by}” is not shown") if stopped_by else decide(figures)
        words = claim.words.format(analyte=analyte)
        found[name] = {"claim": words, "state": state, "reason": reason, "comparisons": figures}
        if state != SHOWN:
            stopped_by = stopped_by or name.replace("_", " ")
    return found


def _named(comparison: Comparison, comparator: str) -> Comparison:
    """The comparison with the comparator's name in its words."""
    return replace(comparison, words=comparison.words.format(comparator=display_name(comparator)))


def compare(rows: Sequence[dict], comparison: Comparison, smallest_gain: float) -> dict:
    """The mean difference over the patients who have both sides, with one-sided 95% bounds on either side.

    A patient weighs n+ n- / (n+ + n-), as the variance of an AUC goes with the numbers of test draws of both classes.
    without: how many patients lack what it is against. detectable: the gain that such a study finds with a probability
    of 80%; patients_needed: how many patients it takes to settle the smallest gain.
    """
    counted = [row for row in rows if _counts(row, comparison)]
    differences = np.array([row[comparison.of] - row[comparison.against] for row in counted])
    weights = np.array([_weight(row) for row in counted])
    estimate = estimate_mean(differences, weights)
    return {
        "against": comparison.against,
        "measure": comparison.measure,
        "words": comparison.words,
        "patients": estimate.n,
        "not_counted": len(rows) - estimate.n,
        "without": sum(row[comparison.against] is None for row in rows),
        "auc": _weighted_mean([row[comparison.of] for row in counted], weights),
        "auc_against": _weighted_mean([row[comparison.against] for row in counted], weights),
        "difference": estimate.mean,
        "lower": estimate.lower,
        "upper": estimate.upper,
        "spread": estimate.spread,
        "state": _state_of(estimate, smallest_gain),
        "detectable": detectable_gain(estimate.spread, estimate.n),
        "patients_needed": patients_needed(estimate.spread, smallest_gain),
        "by_patient": {
            str(row["subject_id"]): difference for row, difference in zip(counted, differences.tolist(), strict=True)
        },
    }


def decide(figures: Sequence[dict]) -> tuple[str, str]:
    """The state of a claim and the reason in words: shown if all comparisons are, excluded if one is, else open."""
    for state in (EXCLUDED, OPEN):
        for figure in figures:
            if figure["state"] == state:
                return state, _reason(figure)
    return SHOWN, "; ".join(map(_reason, figures))


def _counts(row: dict, comparison: Comparison) -> bool:
    if not row["rolling"] and row["test_runs"] < MIN_TEST_RUNS:
        return False
    if row[comparison.of] is None or row[comparison.against] is None:
        return False
    return comparison.count is None or row[comparison.count[0]] >= comparison.count[1]


def _weight(row: dict) -> float:
    return row["n_positive"] * row["n_negative"] / (row["n_positive"] + row["n_negative"])


def _weighted_mean(values: Sequence[float], weights: np.ndarray) -> float:
    return float(np.average(values, weights=weights)) if len(values) else math.nan


def _state_of(estimate: MeanEstimate, smallest_gain: float) -> str:
    if estimate.n < MIN_PATIENTS:
        return OPEN
    if estimate.lower > 0:
        return SHOWN
    return EXCLUDED if estimate.upper < smallest_gain else OPEN


def _reason(figure: dict) -> str:
    against = f"against {figure['words']}"
    if figure["without"] and figure["without"] == figure["patients"] + figure["not_counted"]:
        return f"{against}: there is nothing to compare with in any patient"
    if figure["patients"] < MIN_PATIENTS:
        counted = f"only {plural(figure['patients'], 'patient')}" if figure["patients"] else "no patient"
        return f"{against}: {counted} can be counted, and at least {MIN_PATIENTS} are needed"
    gain = f"{figure['measure']} {figure['difference']:+z.2f} over {plural(figure['patients'], 'patient')}"
    bounds = {SHOWN: f"at least {figure['lower']:+.2f}", EXCLUDED: f"at most {figure['upper']:+.2f}"}
    bound = bounds.get(figure["state"], f"{figure['lower']:+.2f} to {figure['upper']:+.2f}")
    return f"{against}: {gain} ({bound})"
