"""Count the inclusion flow: the reasons why draws are excluded, and the losses at each step."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain
from statistics import median
from typing import NamedTuple

from kalemia.core.config import Analyte, Cohort, Populations
from kalemia.core.wording import plural

# What may be wrong with the value of a draw, as `labs.build_draws` flags it.
FLAGS = (
    "no time",
    "no value",
    "comparator",
    "contradiction",
    "other unit",
    "implausible value",
    "hemolyzed",
    "conflicting twins",
    "twin",
    "contaminated",
)
MEASURED, CODED, RECORDED = "value measured", "no atrial fibrillation or pacing coded", "recorded before the draw"
# Why a draw of somebody with recordings has none that serves it.
NOT_RECORDING, TOO_FEW_MINUTES = "not recording at the time", "too few minutes recorded"
NEARER_TO_ANOTHER = "ECG nearer to another draw"
# Step -> the reasons for exclusion at that step, in the order in which draws pass the steps.
STEPS: dict[str, tuple[str, ...]] = {
    MEASURED: (),
    "value usable": FLAGS,
    CODED: ("atrial fibrillation coded", "pacing coded"),
    RECORDED: (
        "no recording",
        NOT_RECORDING,
        TOO_FEW_MINUTES,
        NEARER_TO_ANOTHER,
        "no header",
        "unreadable header",
        "header not fetched",
    ),
    "chosen to be read": ("gray zone of a generic patient", "class not used for the patient", "more draws than needed"),
    "lead present": (
        "no lead",
        "gap",
        "file missing",
        "truncated file",
        "unreadable file",
        "header disagrees",
        "checksum",
        "HTTP error",
        "not in millivolts",
        "lead occurs twice",
        "implausible amplitude",
    ),
    "sinus rhythm in the ECG": ("pacing in the ECG", "atrial fibrillation in the ECG", "ectopic beats"),
    "enough good beats": ("too few R peaks", "too few good beats", "rejected in review"),
    "in a population": ("no labeled draw left", "surplus of the class", "generic network imported"),
}
# Steps that take draws by their class on purpose, so that a difference between classes says nothing.
CHOICES = ("chosen to be read", "in a population")
# Steps that judge the ECG, where what potassium does to it could decide.
ECG_STEPS = ("lead present", "sinus rhythm in the ECG", "enough good beats")
CLASSES = {"positive": 1, "negative": 0, "unlabeled": None}
# The reason for which a recording, not a draw, is reported.
OUTSIDE_ADMISSIONS = "outside every admission"
STEP_BY_REASON = {reason: step for step, reasons in STEPS.items() for reason in reasons}
REASONS = tuple(STEP_BY_REASON)


def step_descriptions(analyte: Analyte, cohort: Cohort, populations: Populations) -> dict[str, str]:
    """Describe the criteria of the steps that the configuration controls: step -> text."""
    items = ", ".join(map(str, analyte.items))
    jump = f"{analyte.contamination.jump:g} {analyte.unit}"
    hemolyzed, contaminated = (
        "excluded" if is_excluded else "flagged but kept"
        for is_excluded in (analyte.exclude_hemolyzed, analyte.contamination.exclude)
    )
    preferred_lead = f"lead {cohort.lead}" if cohort.prefer_recording == "usable_lead" else "any lead"
    return {
        MEASURED: f"{analyte.name}, item {items}",
        "value usable": f"values of hemolyzed specimens are {hemolyzed}, values that jump by {jump} and back at the"
        f" next value are {contaminated}",
        RECORDED: describe_pairing(cohort)
        if cohort.pairing_hours
        else f"{cohort.min_recorded_minutes:g} of the {describe_window(cohort)},"
        f" at most {cohort.max_missing_minutes:g} outside the recording; if recordings overlap, the one with more of"
        f" {preferred_lead}",
        "lead present": f"{plural(cohort.min_recorded_minutes, 'minute')} of lead {cohort.lead}",
        "in a population": {
            "between_patients": "generic: positive and negative draws from different people",
            "within_patients": "generic: equally many draws of both classes from people who have both",
        }[populations.generic_sampling],
    }


def step_name(step: str, cohort: Cohort) -> str:
    """A step as a page calls it: the ECG may come after the draw, or be the one nearest in time."""
    if step != RECORDED or not (cohort.pairing_hours or cohort.offset_hours < 0):
        return step
    return "recorded near the draw" if cohort.pairing_hours else "recorded after the draw"


def displayed_steps(steps: list[dict], analyte: Analyte, cohort: Cohort, has_items: bool) -> list[dict]:
    """The steps of ``cohort/flow.json`` for a page: by their names, and without what the study does not have.

    has_items: whether the values have the item numbers of a laboratory's database.
    """
    shown = [step for step in steps if cohort.exclude_codes or step["step"] != CODED]
    rules = {} if has_items else {MEASURED: analyte.name}
    return [
        step | {"step": step_name(step["step"], cohort), "rule": rules.get(step["step"], step["rule"])}
        for step in shown
    ]


def describe_window(cohort: Cohort) -> str:
    """Where the ECG of a draw lies: ``10 minutes before``, or ``10 minutes that end 6 hours before``."""
    if cohort.pairing_hours:
        return describe_pairing(cohort)
    hours = cohort.offset_hours
    end = f" that end {plural(abs(hours), 'hour')}" if hours else ""
    return f"{plural(cohort.window_minutes, 'minute')}{end} {'after' if hours < 0 else 'before'}"


def describe_pairing(cohort: Cohort) -> str:
    """How draws are paired with short recordings."""
    within = plural(cohort.pairing_hours, "hour")
    return f"the ECG nearest in time, within {within} before or after, whose nearest draw it is"


class DrawOutcome(NamedTuple):
    """What became of a draw: `reason` excludes it, None if it is used; label and value as in the table of draws."""

    subject_id: int
    reason: str | None
    label: int | None = None
    value: float | None = None


def count_inclusion_flow(draws: list[DrawOutcome], descriptions: dict[str, str] | None = None) -> dict:
    """Count the subjects and draws that remain and are lost at each step, and the lost draws of each class.

    descriptions: the criteria of a step, by its name, as from `step_descriptions`. A subject is lost at the step that
    excludes its last draw. At each step the number that enters is the number that remains plus the number lost, for
    subjects and for draws.
    """
    step_index = {step: index for index, step in enumerate(STEPS)}
    end = len(step_index)
    subject_end: dict[int, int] = defaultdict(int)
    subjects_of_reason: dict[str | None, set[int]] = defaultdict(set)
    draws_of_reason: dict[str | None, list[DrawOutcome]] = defaultdict(list)
    for draw in draws:
        draw_end = end if draw.reason is None else step_index[STEP_BY_REASON[draw.reason]]
        subject_end[draw.subject_id] = max(subject_end[draw.subject_id], draw_end)
        subjects_of_reason[draw.reason].add(draw.subject_id)
        draws_of_reason[draw.reason].append(draw)
    steps, n_subjects, n_draws = [], len(subject_end), len(draws)
    for step, index in step_index.items():
        draws_lost = {reason: draws_of_reason[reason] for reason in sorted(STEPS[step]) if reason in draws_of_reason}
        subjects_lost = {
            reason: sum(subject_end[subject] == index for subject in subjects_of_reason[reason])
            for reason in draws_lost
        }
        lost_subjects = sum(at == index for at in subject_end.values())
        lost_draws = sum(map(len, draws_lost.values()))
        n_subjects, n_draws = n_subjects - lost_subjects, n_draws - lost_draws
        steps.append(
            {
                "step": step,
                "rule": (descriptions or {}).get(step),
                "subjects": n_subjects,
                "draws": n_draws,
                "lost_subjects": lost_subjects,
                "lost_draws": lost_draws,
                "reasons": {
                    reason: {"draws": len(lost), "subjects": subjects_lost[reason], "classes": describe_classes(lost)}
                    for reason, lost in draws_lost.items()
                },
            }
        )
    return {"steps": steps}


def count_flags(flags: Iterable[list[str] | None]) -> dict[str, int]:
    """How many draws carry each flag, whether or not it excluded them, from the flags of each draw."""
    counts = Counter(chain.from_iterable(filter(None, flags)))
    return {flag: counts[flag] for flag in FLAGS if counts[flag]}


def describe_classes(draws: Iterable[DrawOutcome]) -> dict[str, dict]:
    """Number of draws of each class that is there, with the median, lowest and highest of their values."""
    draws = list(draws)
    found = {}
    for name, label in CLASSES.items():
        mine = [draw for draw in draws if draw.label == label]
        if mine:
            found[name] = {"draws": len(mine), "value": median_and_range(draw.value for draw in mine)}
    return found


def median_and_range(values: Iterable[float | None]) -> list[float | None]:
    """Median, lowest and highest of the values that are known, to six digits; None if none is."""
    known = [value for value in values if value is not None]
    return [float(f"{of(known):.6g}") for of in (median, min, max)] if known else [None] * 3
