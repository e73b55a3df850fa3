"""The inclusion flow: the fixed list of reasons for which a draw is left out, and what each step lost."""

from collections import Counter, defaultdict

# Step -> the reasons that end a draw there, in the order in which draws pass them.
STEPS: dict[str, tuple[str, ...]] = {
    "potassium value measured": (),
    "value usable": ("no value", "comparator", "implausible value", "duplicate"),
    "no atrial fibrillation or pacing coded": ("atrial fibrillation coded", "pacing coded"),
    "recorded before the draw": (
        "no recording",
        "not recording at the time",
        "no header",
        "unreadable header",
        "header not fetched",
    ),
    "chosen to be read": ("grey zone of a generic patient", "class not used for the patient", "more draws than needed"),
    "lead II present": (
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
STEP_OF = {reason: step for step, reasons in STEPS.items() for reason in reasons}
REASONS = tuple(STEP_OF)


def inclusion_flow(draws: list[tuple[int, str | None]]) -> dict:
    """The flow of (subject_id, reason) of every draw; reason None for the draws that are used to the end.

    A subject is lost at the step that takes its last draw. The sums close: what enters a step is what leaves it and
    what the step lost, for subjects and for draws.
    """
    order = {step: position for position, step in enumerate(STEPS)}
    end = len(order)
    lost_at = [end if reason is None else order[STEP_OF[reason]] for _, reason in draws]
    subject_lost_at: dict[int, int] = defaultdict(int)
    for (subject, _), position in zip(draws, lost_at, strict=True):
        subject_lost_at[subject] = max(subject_lost_at[subject], position)
    steps, left_subjects, left_draws = [], len(subject_lost_at), len(draws)
    for step, position in order.items():
        reasons = Counter(reason for (_, reason), at in zip(draws, lost_at, strict=True) if at == position)
        subjects = {
            reason: {subject for subject, given in draws if given == reason and subject_lost_at[subject] == position}
            for reason in reasons
        }
        lost_subjects = sum(at == position for at in subject_lost_at.values())
        left_subjects, left_draws = left_subjects - lost_subjects, left_draws - reasons.total()
        steps.append(
            {
                "step": step,
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
