"""The inclusion flow: the fixed list of reasons for which a draw is left out, and what each step lost."""

from collections import Counter, defaultdict

from kalemia.core.config import Analyte, Cohort, Populations

# Step -> the reasons that end a draw there, in the order in which draws pass them.
STEPS: dict[str, tuple[str, ...]] = {
    "value measured": (),
    "value usable": ("no value", "comparator", "other unit", "implausible value", "twin", "contaminated"),
    "no atrial fibrillation or pacing coded": ("atrial fibrillation coded", "pacing coded"),
    "recorded before the draw": (
        "no recording",
        "not recording at the time",
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
    ),
    "sinus rhythm in the ECG": ("pacing in the ECG", "atrial fibrillation in the ECG", "ectopic beats"),
    "enough good beats": ("too few R peaks", "too few good beats", "rejected in review"),
    "in a population": ("no labeled draw left", "surplus of the class"),
}
# Why a recording, and no draw, is reported.
OUTSIDE_ADMISSIONS = "outside every admission"
STEP_BY_REASON = {reason: step for step, reasons in STEPS.items() for reason in reasons}
REASONS = tuple(STEP_BY_REASON)


def step_descriptions(analyte: Analyte, cohort: Cohort, populations: Populations) -> dict[str, str]:
    """How the configuration decides the steps that it decides, by the name of the step."""
    items = ", ".join(map(str, analyte.items))
    jump = f"a jump of {analyte.contamination.jump:g} {analyte.unit} that the next value undoes is"
    which = f"lead {cohort.lead}" if cohort.prefer_recording == "usable_lead" else "any lead"
    return {
        "value measured": f"{analyte.name}, item {items}",
        "value usable": f"{jump} {'left out' if analyte.contamination.exclude else 'flagged and kept'}",
        "recorded before the draw": f"{cohort.min_recorded_minutes:g} of the {cohort.window_minutes:g} minutes before,"
        f" at most {cohort.max_missing_minutes:g} outside the recording; where recordings overlap, that with more of"
        f" {which}",
        "lead present": f"{cohort.min_recorded_minutes:g} minutes of lead {cohort.lead}",
        "in a population": {
            "between_patients": "generic: positive draws of some people, negative draws of others",
            "within_patients": "generic: both classes, equally often, of people who have both",
        }[populations.generic_sampling],
    }


def count_inclusion_flow(draws: list[tuple[int, str | None]], descriptions: dict[str, str] | None = None) -> dict:
    """The flow of (subject_id, reason) of every draw; reason None for the draws that are used to the end.

    `rules`: how a step was decided, in words, by its name. A subject is lost at the step that takes its last draw. The
    sums close: what enters a step is what leaves it and what the step lost, for subjects and for draws.
    """
    order = {step: position for position, step in enumerate(STEPS)}
    end = len(order)
    lost_at = [end if reason is None else order[STEP_BY_REASON[reason]] for _, reason in draws]
    subject_lost_at: dict[int, int] = defaultdict(int)
    for (subject, _), position in zip(draws, lost_at, strict=True):
        subject_lost_at[subject] = max(subject_lost_at[subject], position)
    steps, left_subjects, left_draws = [], len(subject_lost_at), len(draws)
    counts = Counter(reason for _, reason in draws)
    subjects_of: dict[str | None, set[int]] = defaultdict(set)
    for subject, reason in draws:
        subjects_of[reason].add(subject)
    for step, position in order.items():
        reasons = Counter({reason: counts[reason] for reason in STEPS[step] if counts[reason]})
        subjects = {reason: {s for s in subjects_of[reason] if subject_lost_at[s] == position} for reason in reasons}
        lost_subjects = sum(at == position for at in subject_lost_at.values())
        left_subjects, left_draws = left_subjects - lost_subjects, left_draws - reasons.total()
        steps.append(
            {
                "step": step,
                "rule": (descriptions or {}).get(step),
                "subjects": left_subjects,
                "draws": left_draws,
                "lost_subjects": lost_subjects,
                "lost_draws": reasons.total(),
                "reasons": {
                    reason: {"draws": count, "subjects": len(subjects[reason])}
                    for reason, count in sorted(reasons.items())
                },
            }
        )
    return {"steps": steps}
