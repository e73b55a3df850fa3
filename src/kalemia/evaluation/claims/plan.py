"""What a study of so many patients and draws can show: power of each claim, from the spreads of simulated studies."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kalemia.core.config import Verdict
from kalemia.core.errors import UserError
from kalemia.core.wording import align_columns, display_name, join_with_and, plural
from kalemia.evaluation.claims.rule import CLAIMS, MIN_PATIENTS, Comparison
from kalemia.stats.one_sided_mean import POWER, patients_needed, power

SPREADS = Path(__file__).parents[2] / "data/claim_spreads.csv"  # written by benchmarks/claims.py
GAINS = {"AUC": (0.05, 0.1, 0.2, 0.3), "concordance": (0.01, 0.02, 0.03, 0.05)}  # of which the power is told
CHANCE = {"auc_shifted": 0.5}  # the AUC of networks on shifted labels
_STEP = 0.001  # of the detectable gain
_ASSUMED = (
    "This is from simulated patients, whose draws are as often positive as negative (three in eight each);"
    " where few are positive, fewer patients can be evaluated, and it may take more of them."
)


@dataclass(frozen=True)
class SimulatedSpreads:
    """The spread (SD) over patients of the differences in a comparison, by draws a patient and by the mean difference.

    rows: of `SPREADS`: draws, evaluable (share of the patients), against, gain, spread.
    """

    rows: list[dict]

    @classmethod
    def read(cls) -> "SimulatedSpreads":
        with SPREADS.open(newline="") as file:
            return cls([{k: v if k == "against" else float(v) for k, v in row.items()} for row in csv.DictReader(file)])

    @cached_property
    def draws(self) -> list[float]:
        """Of the simulated patients, from few to many."""
        return sorted({row["draws"] for row in self.rows})

    def evaluable(self, n_draws: int) -> float:
        """The share of patients who can be evaluated."""
        share = {row["draws"]: row["evaluable"] for row in self.rows}
        return self._between(n_draws, [share[draws] for draws in self.draws])

    def spread(self, against: str, gain: float, n_draws: int) -> float:
        """Linear in the gain, and in one over the number of draws, as variances go with."""
        at_draws = []
        for draws in self.draws:
            mine = [row for row in self.rows if (row["draws"], row["against"]) == (draws, against)]
            known = sorted((row["gain"], row["spread"]) for row in mine)
            at_draws.append(float(np.interp(gain, *np.array(known).T)))
        return self._between(n_draws, at_draws)

    def _between(self, n_draws: int, values: list[float]) -> float:
        inverse = 1 / np.array(self.draws[::-1])
        return float(np.interp(1 / n_draws, inverse, values[::-1]))


@dataclass(frozen=True)
class Outlook:
    """What a study can say in one comparison: the power by true gain, and the gain with 80% power, None if none has.

    patients_needed: for the smallest gain of interest, with those who cannot be evaluated; None if no number is enough.
    """

    powers: dict[float, float]
    detectable: float | None
    patients_needed: int | None


def plan_outlook(
    against: str, gains: Sequence[float], n_patients: int, n_draws: int, smallest: float, spreads: SimulatedSpreads
) -> Outlook:
    """The outlook of a comparison in a study of so many patients with so many draws each.

    against: a column of the table `evidence`. smallest: the smallest gain of interest.
    """
    share = spreads.evaluable(n_draws)
    n_evaluable = round(share * n_patients)

    def power_of(gain: float) -> float:
        return power(gain, spreads.spread(against, gain, n_draws), n_evaluable)

    needed = patients_needed(spreads.spread(against, smallest, n_draws), smallest)
    return Outlook(
        {gain: power_of(gain) for gain in gains},
        next((float(gain) for gain in np.arange(_STEP, 0.5, _STEP) if power_of(gain) >= POWER), None),
        math.ceil(max(needed, MIN_PATIENTS) / share) if needed else None,
    )


def plan_lines(n_patients: int, n_draws: int, settings: Verdict, analyte: str) -> list[str]:
    """In plain words, what a study of so many patients with so many draws each can show.

    Raises `UserError` for fewer than one patient, and for numbers of draws that were not simulated.
    """
    if n_patients < 1:
        raise UserError(f"--patients {n_patients}: a study has at least one")
    spreads = SimulatedSpreads.read()
    fewest, most = spreads.draws[0], spreads.draws[-1]
    if not fewest <= n_draws <= most:
        raise UserError(f"--draws {n_draws}: spreads are known for {fewest:.0f} to {most:.0f} draws a patient")
    n_evaluable = round(spreads.evaluable(n_draws) * n_patients)
    lines = [
        f"Of {plural(n_patients, 'patient')} with {plural(n_draws, 'draw')} each, {n_evaluable:,} can be evaluated"
        " under rolling."
    ]
    if n_evaluable < MIN_PATIENTS:
        return [*lines, f"No claim can be shown or excluded: that takes at least {MIN_PATIENTS} of them."]
    lines += [
        "A claim is tested only if all before it are shown: each share is that of the comparison by itself.",
        _ASSUMED,
    ]
    too_small = []
    for name, claim in CLAIMS.items():
        lines += ["", f"{display_name(name).capitalize()}. {claim.words.format(analyte=analyte)}:"]
        for one in claim.comparisons:
            gains, smallest = GAINS[one.measure], settings.smallest_gain
            outlook = plan_outlook(one.against, gains, n_patients, n_draws, smallest, spreads)
            lines += _comparison_lines(one, outlook, settings)
            if outlook.detectable is None or outlook.detectable > smallest:
                too_small.append(f"“{display_name(name)}”")
    if too_small:
        claims = join_with_and(list(dict.fromkeys(too_small)))
        lines += ["", f"It may miss a gain of {settings.smallest_gain:g}, the smallest that matters, in {claims}."]
    return lines


def _comparison_lines(one: Comparison, outlook: Outlook, settings: Verdict) -> list[str]:
    chance = CHANCE.get(one.against)
    what = f"a true gain in {one.measure} of" if chance is None else f"a true {one.measure} of"
    table = align_columns(
        [
            (f"    {what}", *(f"{gain + (chance or 0):.2f}" for gain in outlook.powers), ""),
            ("    is shown in", *(f"{share:.0%}" for share in outlook.powers.values()), "of such studies"),
        ]
    )
    known = f"a gain of {max(outlook.detectable, 0.01):.2f} or more" if outlook.detectable else "no gain"
    needed = f"{outlook.patients_needed:,}" if outlook.patients_needed else "more than 100,000"
    return [
        f"  against {one.words.format(comparator=display_name(settings.comparator))}",
        *table,
        f"    It detects {known} with {POWER:.0%} power; a gain of {settings.smallest_gain:g} takes {needed} patients.",
    ]
