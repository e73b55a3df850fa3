"""Match draws with the recordings before them, or with the nearest of short ones, and find those outside admissions."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from kalemia.cohort.inclusion_flow import (
    NEARER_TO_ANOTHER,
    NOT_RECORDING,
    OUTSIDE_ADMISSIONS,
    TOO_FEW_MINUTES,
    describe_window,
)
from kalemia.core.config import Cohort
from kalemia.core.wording import plural
from kalemia.sources import Recording, Source

_MINUTE = np.timedelta64(60_000_000, "us")


@dataclass(frozen=True)
class Match:
    """The samples [sample_from, sample_to) of a recording that belong to a draw.

    minutes: from the start of the recording to the draw, below 0 if the draw came first; only of paired recordings.
    """

    recording: str
    sample_from: int
    sample_to: int
    minutes: float | None = None


@dataclass(frozen=True)
class Unmatched:
    """Why a draw has no ECG: one of `kalemia.cohort.inclusion_flow.REASONS`, and the recording that nearly has it."""

    reason: str
    detail: str | None = None


def window_before(end: datetime, recording: Recording, window_minutes: float) -> tuple[int, int]:
    """The samples [start, stop) of the recording in the minutes before `end`; empty if there are none."""
    stop = min(recording.sample_at(end), recording.n_samples)
    start = max(recording.sample_at(end - timedelta(minutes=window_minutes)), 0)
    return start, max(start, stop)


def match_draws(
    ends: Iterable[datetime], recordings: list[Recording], source: Source, cohort: Cohort
) -> Iterator[Match | Unmatched]:
    """For each draw of one subject, find the recording of the window that ends at its time in `ends`, or why none is.

    At most `max_missing_minutes` of the window may be outside the recording, and at least `min_recorded_minutes` of it
    must be recorded. Of several such recordings, the one with most of the lead in the window is taken, according to its
    headers; then the one with most of any lead; then the first by name. Segment headers are read only if there are
    several.
    """
    recordings = sorted(recordings, key=lambda recording: recording.name)
    for end in ends:
        windows = [window for recording in recordings if (window := _usable_window(end, recording, cohort))]
        if not windows:
            yield _explain_unmatched(end, recordings, cohort)
            continue
        if len(windows) > 1 and cohort.prefer_recording == "usable_lead":
            n_of_lead = [
                source.lead_samples(recording, cohort.lead, start, stop) for recording, start, stop, _ in windows
            ]
        else:
            n_of_lead = [0] * len(windows)
        _, best = max(zip(n_of_lead, windows, strict=True), key=lambda pair: (pair[0], pair[1][3]))
        yield Match(best[0].name, *best[1:3])


def _usable_window(end: datetime, recording: Recording, cohort: Cohort) -> tuple[Recording, int, int, int] | None:
    """(recording, start, stop, number of recorded samples), or None if too little of the window was recorded."""
    start, stop = window_before(end, recording, cohort.window_minutes)
    minute = 60 * recording.rate_hz
    if stop - start < (cohort.window_minutes - cohort.max_missing_minutes) * minute:
        return None
    recorded = recording.recorded_samples(start, stop)
    return (recording, start, stop, recorded) if recorded >= cohort.min_recorded_minutes * minute else None


def _explain_unmatched(end: datetime, recordings: list[Recording], cohort: Cohort) -> Unmatched:
    """Whether nothing was recorded in the window that no recording fits, or too few minutes: the most of one."""
    most, best = 0.0, Unmatched(NOT_RECORDING)
    for recording in recordings:
        start, stop = window_before(end, recording, cohort.window_minutes)
        covered, recorded = (
            samples / (60 * recording.rate_hz) for samples in (stop - start, recording.recorded_samples(start, stop))
        )
        if recorded <= most:
            continue
        least_covered = cohort.window_minutes - cohort.max_missing_minutes
        minutes, needed = (
            (covered, least_covered) if covered < least_covered else (recorded, cohort.min_recorded_minutes)
        )
        rounded_down = math.floor(10 * minutes) / 10  # so that too few never reads as enough
        needs = f"{plural(needed, 'minute')} needed in the {describe_window(cohort)} the draw"
        detail = f"has only {rounded_down} of the {needs}"
        most, best = recorded, Unmatched(TOO_FEW_MINUTES, f"{recording.name}: {detail}")
    return best


def headers_to_read(source: Source, names: dict[int, list[str]], last_end: dict[int, datetime]) -> dict[int, list[str]]:
    """Subject -> its recordings that began before its last window ended; only subjects with draws."""
    return {
        subject: [name for name in names[subject] if source.start_time(name) <= time]
        for subject, time in sorted(last_end.items())
    }


def recordings_outside_admissions(source: Source, names: dict[int, list[str]], cohort: Cohort) -> list[dict]:
    """Ledger rows of the recordings that began more than `admission_slack_hours` outside every admission.

    Such recordings are reported but still used for matching. Subjects without known admissions are skipped.
    """
    stays, slack = source.admissions(), timedelta(hours=cohort.admission_slack_hours)
    return [
        {
            "subject_id": subject,
            "recording": name,
            "reason": OUTSIDE_ADMISSIONS,
            "detail": f"began {began}; {plural(len(stays[subject]), 'admission')}",
        }
        for subject in sorted(names.keys() & stays.keys())
        for name in names[subject]
        if not any(
            admitted - slack <= (began := source.start_time(name)) <= discharged + slack
            for admitted, discharged in stays[subject]
        )
    ]


def nearest_draws(recordings: np.ndarray, draws: np.ndarray, hours: float) -> np.ndarray:
    """For each recording the place of the nearest draw, the earlier one of two; -1 if none is within `hours`: int (n,).

    recordings (n,), draws (m,): times, datetime64[us], of one person.
    """
    if not len(draws):
        return np.full(len(recordings), -1)
    order = np.argsort(draws, kind="stable")
    after = np.searchsorted(draws[order], recordings)
    candidates = np.stack([order[np.clip(after - 1, 0, None)], order[np.clip(after, None, len(draws) - 1)]])
    distance = np.abs(draws[candidates] - recordings)
    nearest = np.where(distance[0] <= distance[1], candidates[0], candidates[1])
    within = distance.min(axis=0) <= np.timedelta64(round(hours * 3_600e6), "us")
    return np.where(within, nearest, -1)


def pair_draws(times: Iterable[datetime], recordings: list[Recording], hours: float) -> list[Match | Unmatched]:
    """For each draw of one subject the whole of the nearest recording whose nearest draw it is, or why there is none.

    Of several equally near recordings it is the first; no recording serves two draws.
    """
    recordings = sorted(recordings, key=lambda recording: (recording.start, recording.name))
    drawn, started = (np.array(list(of), "datetime64[us]") for of in (times, [one.start for one in recordings]))
    pairs: list[Match | None] = [None] * len(drawn)
    for recording, start, draw in zip(recordings, started, nearest_draws(started, drawn, hours).tolist(), strict=True):
        if draw < 0:
            continue
        minutes, known = float((drawn[draw] - start) / _MINUTE), pairs[draw]
        if known is None or abs(minutes) < abs(known.minutes):
            pairs[draw] = Match(recording.name, 0, recording.n_samples, minutes)
    nearest = [
        recordings[place].name if place >= 0 else None for place in nearest_draws(drawn, started, hours).tolist()
    ]
    return [
        pair or (Unmatched(NEARER_TO_ANOTHER, name) if name else Unmatched(NOT_RECORDING))
        for pair, name in zip(pairs, nearest, strict=True)
    ]
