"""Count the inclusion flow: the reasons why draws are excluded, and the losses at each step."""

from collections import Counter, defaultdict

from kalemia.core.config import Analyte, Cohort, Populations

# Step -> the reasons for exclusion at that step, in the order in which draws pass the steps.
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
# The reason for which a recording, not a draw, is reported.
OUTSIDE_ADMISSIONS = "outside every admission"
STEP_BY_REASON = {reason: step for step, reasons in STEPS.items() for reason in reasons}
REASONS = tuple(STEP_BY_REASON)


def step_descriptions(analyte: Analyte, cohort: Cohort, populations: Populations) -> dict[str, str]:
    """Describe the criteria of the steps that the configuration controls: step -> text."""
    items = ", ".join(map(str, analyte.items))
    jump = f"{analyte.contamination.jump:g} {analyte.unit}"
    outcome = "excluded" if analyte.contamination.exclude else "flagged but kept"
    preferred_lead = f"lead {cohort.lead}" if cohort.prefer_recording == "usable_lead" else "any lead"
    return {
        "value measured": f"{analyte.name}, item {items}",
        "value usable": f"values that jump by {jump} and back at the next value are {outcome}",
        "recorded before the draw": f"{cohort.min_recorded_minutes:g} of the {cohort.window_minutes:g} minutes before,"
        f" at most {cohort.max_missing_minutes:g} outside the recording; if recordings overlap, the one with more of"
        f" {preferred_lead}",
        "lead present": f"{cohort.min_recorded_minutes:g} minutes of lead {cohort.lead}",
        "in a population": {
            "between_patients": "generic: positive and negative draws from different people",
            "within_patients": "generic: equally many draws of both classes from people who have both",
        }[populations.generic_sampling],
    }


def count_inclusion_flow(draws: list[tuple[int, str | None]], descriptions: dict[str, str] | None = None) -> dict:
    """Count the subjects and draws that remain and are lost at each step.

    draws: (subject_id, reason) of every draw, reason None if the draw is used. descriptions: the criteria of a step, by
    its name, as from `step_descriptions`. A subject is lost at the step that excludes its last draw. At each step the
    number that enters is the number that remains plus the number lost, for subjects and for draws.
    """
    step_index = {step: index for index, step in enumerate(STEPS)}
    end = len(step_index)
    subject_end: dict[int, int] = defaultdict(int)
    subjects_of_reason: dict[str | None, set[int]] = defaultdict(set)
    for subject, reason in draws:
        draw_end = end if reason is None else step_index[STEP_BY_REASON[reason]]
        subject_end[subject] = max(subject_end[subject], draw_end)
        subjects_of_reason[reason].add(subject)
    counts = Counter(reason for _, reason in draws)
    steps, n_subjects, n_draws = [], len(subject_end), len(draws)
    for step, index in step_index.items():
        draws_lost = {reason: counts[reason] for reason in STEPS[step] if counts[reason]}
        subjects_lost = {
            reason: sum(subject_end[subject] == index for subject in subjects_of_reason[reason])
            for reason in draws_lost
        }
        lost_subjects, lost_draws = sum(at == index for at in subject_end.values()), sum(draws_lost.values())
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
                    reason: {"draws": count, "subjects": subjects_lost[reason]}
                    for reason, count in sorted(draws_lost.items())
                },
            }
        )
    return {"steps": steps}
