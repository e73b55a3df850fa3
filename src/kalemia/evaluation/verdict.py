"""Whether personalization is real: the rule of docs/method.md, applied to the finished tables of a study.

The rule was written before any study was run. Its constants are here, and the page repeats them.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from kalemia.core.config import Arm
from kalemia.core.negative_controls import FALSE_LABELS
from kalemia.core.seeds import rng
from kalemia.core.tables import read_table, write_json
from kalemia.core.wording import display_name, join_with_and, plural
from kalemia.stats.summaries import mean
from kalemia.stats.tests_and_intervals import SIGNIFICANCE_LEVEL, bootstrap_indices, percentile_interval, round_for_ties

MIN_PATIENTS = 8
MIN_REPEATS = round(1 / SIGNIFICANCE_LEVEL) - 1  # fewer cannot place the truth that far out
RESAMPLES = 10_000
SUPPORTED, NOT_SUPPORTED, UNKNOWN = "supported", "not supported", "cannot be told"
NEIGHBORS_APART = ("forward", "episode", "admission")  # protocols under which a verdict may be "supported"


def write_verdict(
    rounds_path: str | Path,
    baselines_path: str | Path,
    nulls_path: str | Path,
    arms: dict[str, Arm],
    seed: int,
    path: str | Path,
) -> None:
    """Write the verdict on every arm, and that on the study, as JSON."""
    rounds = read_table(rounds_path, "rounds")
    baselines, nulls = read_table(baselines_path, "baseline_metrics"), read_table(nulls_path, "nulls")
    verdicts = {name: arm_verdict(name, arm, rounds, baselines, nulls, seed) for name, arm in arms.items()}
    primary = next((name for name, arm in arms.items() if arm.protocol in NEIGHBORS_APART), None)
    write_json(path, {"primary": primary, **study_verdict(primary, verdicts), "arms": verdicts})


def study_verdict(primary: str | None, verdicts: dict[str, dict]) -> dict:
    """The verdict on the study is that on its primary arm, the first whose protocol keeps neighbors apart."""
    if primary is None:
        reason = "no arm keeps neighboring draws apart"
        return {"verdict": UNKNOWN, "sentence": f"{UNKNOWN.capitalize()}: {reason}."}
    return {"verdict": verdicts[primary]["verdict"], "sentence": sentence(primary, verdicts[primary])}


def arm_verdict(name: str, arm: Arm, rounds: pa.Table, baselines: pa.Table, nulls: pa.Table, seed: int) -> dict:
    """What the rule says of one arm, and all figures that it rests on.

    Patients count who have an AUC after their last round. The best baseline is the one with the largest mean AUC on
    the very test draws, which flatters it: the difference to it is, if anything, too small. How much that matters
    shows `difference_chosen_elsewhere`, for which each patient's baseline is chosen on the other patients.
    """
    truth = _last_auc(rounds, name)
    subjects = sorted(truth)
    values = np.array([truth[subject] for subject in subjects])
    found = {"protocol": arm.protocol, "patients": len(subjects), "auc": mean(values)}
    table = _pivot([row for row in baselines.to_pylist() if row["arm"] == name], "baseline", subjects)
    if not subjects or not table:
        return found | {"verdict": UNKNOWN, "reason": "no patient could be evaluated", "nulls": {}, "baselines": {}}
    means = {baseline: mean(of_patients) for baseline, of_patients in table.items()}
    best = max(means, key=means.get)
    differences = values - table[best]
    places = bootstrap_indices(len(differences), RESAMPLES, rng(seed, "verdict", name))
    low, high = percentile_interval(round_for_ties(differences[places].mean(axis=1)))
    found |= {
        "baselines": means,
        "best_baseline": best,
        "difference": mean(differences),
        "interval": [low, high],
        "difference_chosen_elsewhere": mean(values - _leave_one_patient_out_best(table)),
        "by_patient": dict(zip(map(str, subjects), differences.tolist(), strict=True)),
        "nulls": {
            kind: rank_among_nulls(
                truth, [row for row in nulls.to_pylist() if (row["arm"], row["kind"]) == (name, kind)]
            )
            for kind in dict.fromkeys(row["kind"] for row in nulls.to_pylist() if row["arm"] == name)
        },
    }
    verdict, reason = decide_verdict(found)
    return found | {"verdict": verdict, "reason": reason}


def decide_verdict(found: dict) -> tuple[str, str]:
    """Apply the rule: from the figures of an arm to its verdict and the reason in words."""
    (low, high), nulls = found["interval"], found["nulls"]
    counted = {kind: null for kind, null in nulls.items() if _has_enough_runs(null)}
    matching = {kind: null for kind, null in counted.items() if null["p"] > SIGNIFICANCE_LEVEL}
    if found["patients"] < MIN_PATIENTS:
        evaluated = plural(found["patients"], "patient")
        return UNKNOWN, f"only {evaluated} could be evaluated, and at least {MIN_PATIENTS} are needed"
    if matching:
        return NOT_SUPPORTED, f"among the negative controls, {count_matching_runs(matching)} did as well"
    if high < 0:
        return NOT_SUPPORTED, "the best baseline did better"
    if counted.keys().isdisjoint(FALSE_LABELS):
        needed = f"at least {MIN_REPEATS} runs in at least {MIN_PATIENTS} patients"
        return (
            UNKNOWN,
            f"no negative control with false labels ({' or '.join(map(display_name, FALSE_LABELS))}) has {needed}",
        )
    if low <= 0:
        return UNKNOWN, "the interval of the difference from the best baseline includes 0"
    if found["protocol"] not in NEIGHBORS_APART:
        return UNKNOWN, "this protocol puts neighboring draws into both training and test"
    reason = f"better than the best baseline; among the negative controls, {count_matching_runs(counted)} did as well"
    uncounted = [
        f"{plural(null['runs'], f'{display_name(kind)} run')} in {plural(null['patients'], 'patient')}"
        for kind, null in nulls.items()
        if kind not in counted
    ]
    return SUPPORTED, f"{reason} (too few to count: {join_with_and(uncounted)})" if uncounted else reason


def _has_enough_runs(null: dict) -> bool:
    """Whether there are runs enough to place the truth among, and patients enough to speak for the arm."""
    return null["runs"] >= MIN_REPEATS and null["patients"] >= MIN_PATIENTS


def count_matching_runs(nulls: dict[str, dict]) -> str:
    """How many runs of each null did as well as the real run: ``0 of 19 shuffled-label and 1 of 9 TP-segment runs``."""
    counts = [f"{null['rank'] - 1} of {null['runs']} {display_name(kind)}" for kind, null in nulls.items()]
    return f"{join_with_and(counts)} runs"


def rank_among_nulls(truth: dict[int, float], rows: list[dict]) -> dict:
    """Where the truth stands among the repeats of one null, by the mean AUC over the patients who have the null.

    truth: AUC by patient. rows: of a table of kind "nulls". `rank` 1 means that no run did as well; p is that of a
    permutation test (Phipson and Smyth, Stat Appl Genet Mol Biol 2010;9:39). Only repeats that all those patients
    have are counted, so that every mean is over the same people.
    """
    known = [row for row in rows if row["auc"] is not None and row["auc"] == row["auc"] and row["subject_id"] in truth]
    subjects = sorted({row["subject_id"] for row in known})
    by_repeat: dict[int, dict[int, float]] = {}
    for row in known:
        by_repeat.setdefault(row["repeat"], {})[row["subject_id"]] = row["auc"]
    runs = [mean(np.array(list(of.values()))) for _, of in sorted(by_repeat.items()) if len(of) == len(subjects)]
    true_mean = mean(np.array([truth[subject] for subject in subjects]))
    count_matching_runs = int(np.sum(round_for_ties(np.array(runs)) >= round_for_ties(true_mean)))
    return {
        "patients": len(subjects),
        "truth": true_mean,
        "runs": len(runs),
        "aucs": runs,
        "mean": mean(np.array(runs)),
        "rank": count_matching_runs + 1,
        "p": (count_matching_runs + 1) / (len(runs) + 1),
    }


def sentence(name: str, found: dict) -> str:
    """The verdict on an arm: the value with its reason, then the mean AUC against the best baseline."""
    opening = f"{found['verdict'].capitalize()}: {found['reason']}."
    if "difference" not in found:
        return opening
    interval = f"; 95% CI {_below_or_above(*found['interval'])}" if found["patients"] > 1 else ""
    baseline = f"the best baseline ({display_name(found['best_baseline'])}{interval})"
    return (
        f"{opening} In the {name} arm the personalized networks reached a mean AUC of {found['auc']:.2f}"
        f" ({plural(found['patients'], 'patient')}), {_comparison(found['difference'])} {baseline}."
    )


def _comparison(difference: float) -> str:
    is_equal = f"{abs(difference):.2f}" == "0.00"
    return "which equals that of" if is_equal else f"which is {_below_or_above(difference)}"


def _below_or_above(low: float, high: float | None = None) -> str:
    """A difference, or the bounds of one: ``0.10 below``, ``0.03 to 0.17 below`` or ``0.16 below to 0.11 above``."""
    high = low if high is None else high
    if low < 0 < high:
        return f"{-low:.2f} below to {high:.2f} above"
    sizes = dict.fromkeys(f"{size:.2f}" for size in sorted((abs(low), abs(high))))
    return f"{' to '.join(sizes)} {'below' if low < 0 else 'above'}"


def _last_auc(rounds: pa.Table, arm: str) -> dict[int, float]:
    """By patient, after the last round; only of patients who have an AUC."""
    last: dict[int, tuple[int, float]] = {}
    for row in rounds.to_pylist():
        if row["arm"] == arm and row["round"] >= last.get(row["subject_id"], (0, 0))[0]:
            last[row["subject_id"]] = row["round"], row["auc"]
    return {subject: auc for subject, (_, auc) in last.items() if auc is not None and auc == auc}


def _pivot(rows: list[dict], key: str, subjects: list[int]) -> dict[str, np.ndarray]:
    """The AUC of each value of `key` as an array over `subjects`; only of those that all subjects have."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["auc"] is not None:
            found.setdefault(row[key], {})[row["subject_id"]] = row["auc"]
    return {name: np.array([of[s] for s in subjects]) for name, of in found.items() if of.keys() >= set(subjects)}


def _leave_one_patient_out_best(table: dict[str, np.ndarray]) -> np.ndarray:
    """For each patient the AUC of the baseline that is best over the other patients."""
    values = np.array(list(table.values()))
    others = values.sum(axis=1, keepdims=True) - values
    return values[np.argmax(others, axis=0), np.arange(values.shape[1])]
