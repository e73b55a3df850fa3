"""What of a study is done, stale or missing, told from its files alone: nothing is started, nothing is changed."""

import base64
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kalemia.config import Study
from kalemia.steps import People, Step, people_of, steps_of
from kalemia.tables import file_hash

DONE, STALE, MISSING = "done", "stale", "missing"
_RECORDS = Path(".snakemake/metadata")


def status_lines(study: Study) -> Iterator[str]:
    """The status of a study as text: a table of stages, then one row a personal patient, then the others.

    Paths are those of the working directory, as for Snakemake.
    """
    people = people_of(study)
    states = list(states_of(steps_of(study, people)))
    yield f"study {study.study}, in {study.results}"
    yield ""
    yield from _aligned([("stage", DONE, STALE, MISSING), *_stage_rows(states)])
    if not people.populations:
        yield ""
        yield "Who is in the study is known once the cohort is made."
        return
    yield ""
    yield from _aligned(_patient_rows(study, people, states))
    yield ""
    yield from _other_rows(people, states)


def states_of(steps: Iterable[Step]) -> Iterator[tuple[Step, str]]:
    """Each step, in the order given, and whether it is done, stale or missing.

    missing: an output is not there. stale: made by another recipe than today's, or an input is newer than an output
    and is not what Snakemake recorded it to be, or is stale itself. Steps come after those that they need.
    """
    changed_ns, stale = cache(_changed_ns), set()
    for step in steps:
        written = [changed_ns(path) for path in step.outputs]
        if None in written:
            yield step, MISSING
            continue
        newer = [path for path in step.inputs if (changed_ns(path) or 0) > min(written)]
        if not stale.isdisjoint(step.inputs) or _has_other_recipe(step) or _has_other_content(newer, step.outputs[0]):
            stale.update(step.outputs)
            yield step, STALE
        else:
            yield step, DONE


def _changed_ns(path: str) -> int | None:
    """When a file was last written; None where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _has_other_recipe(step: Step) -> bool:
    """Whether an output says so, or where outputs hold no digest, Snakemake's record."""
    if step.recorded:
        return _digest_in(step.recorded) != step.digest
    parameters = _record(step.outputs[0]).get("params")
    return parameters is not None and repr(step.digest) not in parameters


def _has_other_content(newer: list[str], output: str) -> bool:
    """Whether one of the inputs that are newer than `output` is not what Snakemake recorded when it was made."""
    recorded = _record(output).get("input_checksums", {}) if newer else {}
    return any(recorded.get(path) != f"sha256:{file_hash(path)}" for path in newer)


def _digest_in(path: str) -> str | None:
    """The digest of the recipe that a table or JSON file was made by; None where it cannot be told."""
    try:
        if path.endswith(".json"):
            return json.loads(Path(path).read_text()).get("digest")
        return (pq.read_metadata(path).metadata or {}).get(b"kalemia.digest", b"").decode()
    except (OSError, ValueError, pa.ArrowException):
        return None


def _record(output: str) -> dict:
    """What Snakemake wrote down when it made a file; nothing where that cannot be read."""
    name = base64.urlsafe_b64encode(output.encode()).decode()
    try:
        return json.loads((_RECORDS / name).read_text())
    except (OSError, ValueError):
        return {}


def _stage_rows(states: list[tuple[Step, str]]) -> Iterator[tuple[str, ...]]:
    counts: dict[str, Counter] = {}
    for step, state in states:
        counts.setdefault(step.stage, Counter())[state] += 1
    for stage, count in counts.items():
        yield stage, *(str(count[state] or "") for state in (DONE, STALE, MISSING))


def _patient_rows(study: Study, people: People, states: list[tuple[Step, str]]) -> Iterator[tuple[str, ...]]:
    """Of each personal patient: excerpts and beats, rounds done in each arm, the page, and all that is not done."""
    yield "patient", "excerpts", "beats", *(f"{arm}, rounds" for arm in study.arms), "page", "not done"
    mine: dict[str, list[tuple[Step, str]]] = {subject: [] for subject in people.personal}
    for step, state in states:
        if step.subject in mine:
            mine[step.subject].append((step, state))
    for subject, of_subject in mine.items():
        stage = {step.stage: state for step, state in of_subject}
        arms = (_rounds(people, subject, arm, of_subject) for arm in study.arms)
        counts = Counter(state for _, state in of_subject)
        yield subject, stage["excerpts"], stage["beats"], *arms, stage["patient_report"], _in_words(counts)


def _rounds(people: People, subject: str, arm: str, of_subject: list[tuple[Step, str]]) -> str:
    if (arm, subject) not in people.rounds:
        return "not known"
    if not people.rounds[arm, subject]:
        return "impossible"
    counts = Counter(state for step, state in of_subject if step.arm == arm and step.stage == "finetune")
    stale = f", {counts[STALE]} stale" if counts[STALE] else ""
    return f"{counts[DONE]} of {people.rounds[arm, subject]}{stale}"


def _in_words(counts: Counter) -> str:
    return ", ".join(f"{counts[state]} {state}" for state in (STALE, MISSING) if counts[state])


def _other_rows(people: People, states: list[tuple[Step, str]]) -> Iterator[str]:
    """Everybody else, together where they stand alike."""
    stages: dict[str, dict[str, str]] = {}
    for step, state in states:
        if step.subject and people.populations[step.subject] != "personal":
            stages.setdefault(step.subject, {})[step.stage] = state
    alike: dict[tuple[str, ...], list[str]] = {}
    for subject, state_of in stages.items():
        group = people.populations[subject] or "in neither population"
        alike.setdefault((group, state_of["excerpts"], state_of["beats"]), []).append(subject)
    for (group, excerpts, beats), subjects in sorted(alike.items()):
        named = ", ".join(subjects[:3]) + (", ..." if len(subjects) > 3 else "")
        yield f"{len(subjects)} {group}: excerpts {excerpts}, beats {beats} ({named})"


def _aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
