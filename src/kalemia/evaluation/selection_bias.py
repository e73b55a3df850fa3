"""Show what inclusion favors: losses of draws by class at each rule, and how evaluable patients differ from others."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kalemia.cohort.inclusion_flow import CHOICES, CLASSES, ECG_STEPS, STEP_BY_REASON, STEPS, median_and_range
from kalemia.core.tables import nan_to_none, read_table, write_evaluation_table
from kalemia.stats.clustered_shares import Difference, share_difference
from kalemia.stats.tests_and_intervals import NO_BOUNDS, SIGNIFICANCE_LEVEL

ECG_RULES = "all rules on the ECG"  # stands for `ECG_STEPS` together


@dataclass(frozen=True)
class _Draws:
    """The rows of the table of outcomes as arrays (n,): number of the person, value, reason, and step that it ends at.

    classes: by name, (n,) bool.
    """

    person: np.ndarray
    value: np.ndarray
    reason: np.ndarray
    end: np.ndarray
    classes: dict[str, np.ndarray]

    @classmethod
    def from_rows(cls, outcomes: list[dict]) -> "_Draws":
        place = {step: i for i, step in enumerate(STEPS)}
        labels = [row["label"] for row in outcomes]
        return cls(
            person=np.unique([row["subject_id"] for row in outcomes], return_inverse=True)[1],
            value=np.array([row["value"] for row in outcomes], float),
            reason=np.array([row["reason"] or "" for row in outcomes], str),
            end=np.array(
                [place[STEP_BY_REASON[row["reason"]]] if row["reason"] else len(place) for row in outcomes], int
            ),
            classes={name: np.array([of == label for of in labels], bool) for name, label in CLASSES.items()},
        )

    def difference(self, entered: np.ndarray, lost: np.ndarray) -> Difference:
        """Of the positive draws that entered the share that is lost, less that of negative ones; both (n,) bool."""
        n_people = int(self.person.max()) + 1
        return share_difference(
            *(
                np.bincount(self.person[which & self.classes[name]], minlength=n_people)
                for name in ("positive", "negative")
                for which in (lost, entered)
            )
        )


def write_losses(outcomes_path: str | Path, folder: str | Path, digest: str) -> None:
    """Write the draws of each class that every step and reason of the inclusion flow took; see `loss_rows`."""
    write_evaluation_table(folder, "losses", loss_rows(read_table(outcomes_path, "outcomes").to_pylist()), digest)


def loss_rows(outcomes: list[dict]) -> list[dict]:
    """The rows of the table of losses, by step, from the rows of the table of outcomes.

    A step that nobody came to, and a reason that nobody has, have no row.
    """
    draws, order = _Draws.from_rows(outcomes), list(STEPS)
    rows = []

    def add(step: str, entered: np.ndarray, lost: np.ndarray, reason: str | None = None) -> None:
        if entered.any():
            rows.append({"step": step, "reason": reason} | _losses_of(draws, entered, lost, step in CHOICES))

    for place, step in enumerate(order):
        entered, lost = draws.end >= place, draws.end == place
        if lost.any():
            add(step, entered, lost)
        for reason in STEPS[step]:
            with_reason = draws.reason == reason
            if with_reason.any():
                add(step, entered, with_reason, reason)
    first, last = order.index(ECG_STEPS[0]), order.index(ECG_STEPS[-1])
    add(ECG_RULES, draws.end >= first, (draws.end >= first) & (draws.end <= last))
    return rows


def write_evaluable(
    outcomes_path: str | Path, people_path: str | Path, arms_path: str | Path, folder: str | Path, digest: str
) -> None:
    """Write how patients who are evaluable in at least one arm differ from all others; see `evaluable_rows`."""
    arms = read_table(arms_path, "arms", ["subject_id", "reason"]).to_pylist()
    rows = evaluable_rows(
        read_table(outcomes_path, "outcomes").to_pylist(),
        read_table(people_path, "people").to_pylist(),
        {row["subject_id"] for row in arms if row["reason"] is None},
    )
    write_evaluation_table(folder, "evaluable", rows, digest)


def evaluable_rows(outcomes: list[dict], people: list[dict], evaluable: set[int]) -> list[dict]:
    """The rows of the table of evaluable patients; everybody with a labeled value is one of them or of the others.

    Differences of means have Welch's interval (Biometrika 1947;34:28), those of shares Newcombe's.
    """
    values, labels = defaultdict(list), defaultdict(list)
    for row in outcomes:
        if row["label"] is not None:
            values[row["subject_id"]].append(row["value"])
            labels[row["subject_id"]].append(row["label"])
    about = {row["subject_id"]: row for row in people}
    age = {s: about[s]["age_years"] for s in values if s in about}
    is_man = {s: about[s]["gender"] == "M" for s in values if s in about and about[s]["gender"]}
    measures = {
        "age": {s: years for s, years in age.items() if years is not None},
        "men": is_man,
        "draws": {s: len(of) for s, of in labels.items()},
        "positive_draws": {s: sum(of) for s, of in labels.items()},
        "value": {s: np.mean(of) for s, of in values.items()},
        "highest_value": {s: max(of) for s, of in values.items()},
    }
    rows = []
    for name, of in measures.items():
        ours = np.array([float(of[s]) for s in sorted(of) if s in evaluable])
        others = np.array([float(of[s]) for s in sorted(of) if s not in evaluable])
        is_share = name == "men"
        difference = _difference_of_shares(ours, others) if is_share else _difference_of_means(ours, others)
        columns = _spread("evaluable", ours, is_share) | _spread("others", others, is_share)
        rows.append(nan_to_none({"measure": name} | columns | _difference_columns(difference)))
    return rows


def _losses_of(draws: _Draws, entered: np.ndarray, lost: np.ndarray, by_choice: bool) -> dict:
    """The columns of a row; entered, lost: (n,) bool."""
    columns = {}
    for name, of_class in draws.classes.items():
        values = draws.value[lost & of_class]
        middle, lowest, highest = median_and_range(values[np.isfinite(values)].tolist())
        columns |= {
            f"{name}_entered": int(np.count_nonzero(entered & of_class)),
            f"{name}_lost": len(values),
            f"{name}_median": middle,
            f"{name}_lowest": lowest,
            f"{name}_highest": highest,
        }
    unknown = Difference(float("nan"), *NO_BOUNDS)
    return nan_to_none(columns | _difference_columns(unknown if by_choice else draws.difference(entered, lost)))


def _difference_of_shares(ours: np.ndarray, others: np.ndarray) -> Difference:
    """Of two groups of people, each value 1 or 0."""
    is_ours = np.repeat([1, 0], [len(ours), len(others)])
    hits = np.concatenate([ours, others])
    return share_difference(hits * is_ours, is_ours, hits * (1 - is_ours), 1 - is_ours)


def _difference_of_means(ours: np.ndarray, others: np.ndarray) -> Difference:
    if not len(ours) or not len(others):
        return Difference(float("nan"), *NO_BOUNDS)
    difference = float(ours.mean() - others.mean())
    errors = [values.var(ddof=1) / len(values) if len(values) > 1 else np.nan for values in (ours, others)]
    if not sum(errors) > 0:
        return Difference(difference, *NO_BOUNDS)
    from scipy.special import stdtrit

    freedom = sum(errors) ** 2 / (errors[0] ** 2 / (len(ours) - 1) + errors[1] ** 2 / (len(others) - 1))
    reach = float(stdtrit(freedom, 1 - SIGNIFICANCE_LEVEL / 2) * np.sqrt(sum(errors)))
    return Difference(difference, difference - reach, difference + reach)


def _spread(group: str, values: np.ndarray, is_share: bool) -> dict:
    n = len(values)
    return {
        f"{group}_people": n,
        f"{group}_mean": float(values.mean()) if n else None,
        f"{group}_sd": float(values.std(ddof=1)) if n > 1 and not is_share else None,
    }


def _difference_columns(of: Difference) -> dict:
    return {"difference": of.difference, "difference_low": of.low, "difference_high": of.high}
