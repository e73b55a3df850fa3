"""For each stage, the version of its code and the settings that it uses; their digest decides what is remade.

Raise a version when the stage's code makes another output from the same input, then run `make lock`. `make lint`
compares the code with `stages.lock.json` and fails when the code has changed and the version has not.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class StageVersion:
    """`version` counts the changes of a stage's output; `settings` are the configuration keys that it uses."""

    version: int
    settings: tuple[str, ...]


_ANALYTE_VALUE_SETTINGS = tuple(
    f"analyte.{name}"
    for name in ("name", "items", "unit", "positive", "negative", "plausible", "exclude_hemolyzed", "contamination")
)
_INCLUSION_FLOW_SETTINGS = tuple(
    f"analyte.{name}" for name in ("name", "unit", "items", "exclude_hemolyzed", "contamination")
)
_INCLUSION_FLOW_SETTINGS += tuple(
    f"cohort.{name}"
    for name in (
        "lead",
        "window_minutes",
        "max_missing_minutes",
        "min_recorded_minutes",
        "offset_hours",
        "pairing_hours",
        "prefer_recording",
    )
)
_SPLIT_SETTINGS = (
    "personal.max_rounds",
    "personal.pairs_per_round",
    "personal.test_fraction",
    "personal.min_test_draws",
)

STAGE_VERSIONS = {
    "source": StageVersion(4, ("seed", "simulation", "analyte.items", "analyte.positive", "analyte.negative")),
    "cohort": StageVersion(
        7,
        (
            "seed",
            "source.kind",
            "source.cases",
            "source.min_age_years",
            *_ANALYTE_VALUE_SETTINGS,
            "cohort",
            "populations.personal_min_draws",
            "populations.generic_sampling",
        ),
    ),
    "height_weight": StageVersion(2, ()),
    "context": StageVersion(4, ("context",)),
    "control_values": StageVersion(1, ("source.kind",)),
    "characteristics": StageVersion(2, ()),
    "excerpts": StageVersion(7, ("source.kind", "cohort.lead", "cohort.min_recorded_minutes")),
    "ledger": StageVersion(4, ()),
    "beats": StageVersion(5, ("ecg", "quality", "rhythm", "beats")),
    "review_page": StageVersion(6, ("study", "seed", "review.n_excerpts", "ecg", "quality", "rhythm", "beats")),
    "populations": StageVersion(6, ("seed", "populations", "generic.model", *_INCLUSION_FLOW_SETTINGS)),
    "count_rounds": StageVersion(4, ("seed", "personal", "arms")),
    "generic_beats": StageVersion(2, ()),
    "mixed_model": StageVersion(1, ()),
    "generic": StageVersion(6, ("seed", "network", "generic", "evaluation")),
    "import_generic": StageVersion(1, ("generic.model", "network", "source.kind")),
    "comparators": StageVersion(1, ("analyte.positive",)),
    "split": StageVersion(6, ("seed", *_SPLIT_SETTINGS)),
    "features": StageVersion(4, ("network", "personal.n_trained_stages", "personal.threads")),
    "personal": StageVersion(5, ("seed", "network", "personal.n_trained_stages", "personal.threads", "evaluation")),
    "nulls": StageVersion(7, _SPLIT_SETTINGS),
    "controls": StageVersion(1, _SPLIT_SETTINGS),
    "strangers": StageVersion(4, ()),
    "baselines": StageVersion(5, ("evaluation", "analyte.positive")),
    "evaluation": StageVersion(10, ("seed", "evaluation", "protocols", "verdict", "controls", "analyte.name")),
    "explanation": StageVersion(7, ("seed", "explanation")),
    "public_report": StageVersion(2, ("study", "seed", "analyte", "arms")),
    "report": StageVersion(10, ("study", "analyte.condition")),
}
