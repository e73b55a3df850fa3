"""Settings of the claims of a study: registered before any network is trained (docs/method.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kalemia.core.settings.declare import setting
from kalemia.core.settings.networks import NEIGHBORS_APART, Arm

COMPARATORS = {  # the baselines of this role, with what each is
    "mean_beat": "a logistic regression on the mean beat of a draw",
    "minirocket": "a ridge on MiniRocket features of the mean beat",
    "ecg_measures": "a logistic regression on six measures of the median beat",
    "boosted_measures": "gradient boosting on these measures, heart rate and time since the last value",
    "mixed_model": "a mixed model of these measures over the generic patients, with intercept and slopes per patient",
    "heart_rate": "a logistic regression on heart rate",
    "linear_probe": "a logistic regression on features of the generic network",
    "nearest_mean": "the nearest class mean of features of the generic network",
    "recalibrated": "the generic network's logit with a slope and constant",
}


@dataclass(frozen=True)
class Verdict:
    arm: str | None = setting(
        None, "the arm that decides; null: the first whose protocol keeps neighboring draws on one side"
    )
    comparator: str = setting(
        "mean_beat", "the baseline that the personal networks must beat to be needed", choices=COMPARATORS
    )
    smallest_gain: float = setting(
        0.05,
        "smallest gain in AUC that matters; a claim is excluded if its gain is smaller for certain",
        above=0,
        maximum=0.5,
    )

    def deciding_arm(self, arms: Mapping[str, Arm]) -> str | None:
        """The arm that decides; None if there is none."""
        return self.arm or next(iter(_apart(arms)), None)


def _apart(arms: Mapping[str, Arm]) -> Iterable[str]:
    return (name for name, arm in arms.items() if arm.protocol in NEIGHBORS_APART)
