"""Which recording lies before a draw, and which recordings lie outside of every admission."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from kalemia.cohort.inclusion_flow import OUTSIDE_ADMISSIONS
from kalemia.core.config import Cohort
from kalemia.sources import Recording, Source


@dataclass(frozen=True)
class Match:
    """The samples of a recording, half open, that lie in the window before a draw."""

    recording: str
    sample_from: int
    sample_to: int


def window_before(draw_time: datetime, recording: Recording, window_minutes: float) -> tuple[int, int]:
    """The samples of the recording that lie in the minutes before the draw, half open; empty where none do."""
    stop = min(recording.sample_at(draw_time), recording.n_samples)
    start = max(recording.sample_at(draw_time - timedelta(minutes=window_minutes)), 0)
    return start, max(start, stop)


def match_draws(
    times: Iterable[datetime], recordings: list[Recording], source: Source, cohort: Cohort
) -> Iterator[Match | None]:
    """For each draw of one subject the recording before it, or None.

    All but `max_missing_minutes` of the window lie inside the recording, and `min_recorded_minutes` of it were
    recorded. Of several such recordings the one is taken whose window holds more of the lead by its headers, then more
    of any lead, then the first by name. Segment headers are asked for only where there are several.
    """
    recordings = sorted(recordings, key=lambda recording: recording.name)
    for time in times:
        fitting = [match for recording in recordings if (match := _usable_window(time, recording, cohort))]
        if len(fitting) > 1 and cohort.prefer_recording == "usable_lead":
            leads = [source.lead_samples(of, cohort.lead, start, stop) for of, start, stop, _ in fitting]
        else:
            leads = [0] * len(fitting)
        best = max(zip(leads, fitting, strict=True), key=lambda pair: (pair[0], pair[1][3]), default=None)
        yield Match(best[1][0].name, *best[1][1:3]) if best else None


def _usable_window(time: datetime, recording: Recording, cohort: Cohort) -> tuple[Recording, int, int, int] | None:
    """The recording with its window and how much of it was recorded, if that is enough."""
    start, stop = window_before(time, recording, cohort.window_minutes)
    minute = 60 * recording.rate_hz
    if stop - start < (cohort.window_minutes - cohort.max_missing_minutes) * minute:
        return None
    recorded = recording.recorded_samples(start, stop)
    return (recording, start, stop, recorded) if recorded >= cohort.min_recorded_minutes * minute else None


def headers_to_read(
    source: Source, names: dict[int, list[str]], last_draw: dict[int, datetime]
) -> dict[int, list[str]]:
    """Of each subject with draws, the recordings that began before the last of them, by subject."""
    return {
        subject: [name for name in names[subject] if source.start_time(name) <= time]
        for subject, time in sorted(last_draw.items())
    }


def recordings_outside_admissions(source: Source, names: dict[int, list[str]], cohort: Cohort) -> list[dict]:
    """Ledger rows of the recordings that began more than `admission_slack_hours` outside of every admission.

    They stay in use where a draw agrees with them. Nothing is said of a subject whose admissions are unknown.
    """
    stays, slack = source.admissions(), timedelta(hours=cohort.admission_slack_hours)
    return [
        {
            "subject_id": subject,
            "recording": name,
            "reason": OUTSIDE_ADMISSIONS,
            "detail": f"began {began}; {len(stays[subject])} admissions",
        }
        for subject in sorted(names.keys() & stays.keys())
        for name in names[subject]
        if not any(
            admitted - slack <= (began := source.start_time(name)) <= discharged + slack
            for admitted, discharged in stays[subject]
        )
    ]
