"""The recipe of each stage: the version of its code, and the parts of the configuration that it uses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The version of a stage's code and the parts of the configuration that it uses."""

    version: int
    uses: tuple[str, ...]


_VALUES = tuple(f"analyte.{name}" for name in ("items", "unit", "positive", "negative", "plausible", "contamination"))
_IN_THE_FLOW = tuple(f"analyte.{name}" for name in ("name", "unit", "items", "contamination"))
_IN_THE_FLOW += tuple(
    f"cohort.{name}" for name in ("lead", "window_minutes", "slack_minutes", "min_recorded_minutes", "overlapping")
)
_SPLITTING = ("personal.max_rounds", "personal.pairs_per_round", "personal.held_out", "personal.min_test_draws")

# Raise a stage's version when its code makes another output from the same input.
RECIPES = {
    "source": Recipe(2, ("seed", "simulation", "analyte.items", "analyte.positive", "analyte.negative")),
    "cohort": Recipe(
        4,
        (
            "seed",
            "source.kind",
            *_VALUES,
            "cohort",
            "populations.personal_min_draws",
            "populations.generic_set",
        ),
    ),
    "body": Recipe(1, ()),
    "context": Recipe(2, ("context",)),
    "characteristics": Recipe(1, ()),
    "excerpts": Recipe(4, ("source.kind", "cohort.lead", "cohort.min_recorded_minutes")),
    "ledger": Recipe(1, ()),
    "beats": Recipe(3, ("ecg", "quality", "rhythm", "beats")),
    "review": Recipe(3, ("study", "seed", "review.excerpts", "ecg", "quality", "rhythm", "beats")),
    "populations": Recipe(3, ("seed", "populations", *_IN_THE_FLOW)),
    "arms": Recipe(3, ("seed", "personal", "arms")),
    "generic_beats": Recipe(1, ()),
    "generic": Recipe(3, ("seed", "network", "generic", "evaluation")),
    "split": Recipe(3, ("seed", *_SPLITTING)),
    "features": Recipe(1, ("network", "personal.trained_stages", "personal.threads")),
    "personal": Recipe(2, ("seed", "network", "personal.trained_stages", "personal.threads", "evaluation")),
    "nulls": Recipe(3, _SPLITTING),
    "strangers": Recipe(1, ()),
    "baselines": Recipe(3, ("evaluation", "analyte.positive")),
    "evaluation": Recipe(6, ("seed", "evaluation", "protocols")),
    "explanation": Recipe(3, ("seed", "explanation")),
    "report": Recipe(3, ("study", "analyte.condition")),
}
