"""What of a study is done, stale or missing, told from its files alone: nothing is started, nothing is changed."""

import base64
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from stat import S_ISDIR

import pyarrow as pa
import pyarrow.parquet as pq

from kalemia.core.config import Study
from kalemia.core.tables import file_hash
from kalemia.steps import People, Step, people_of, steps_of

DONE, STALE, MISSING = "done", "stale", "missing"
_RECORDS = Path(".snakemake/metadata")
Times = Callable[[str], int | None]


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
    """Each step that leaves something, in the order given, and whether it is done, stale or missing.

    missing: an output is not there. stale: all are there, and Snakemake would make them again. Steps come after those
    that they need.
    """
    steps, changed_ns = list(steps), cache(_changed_ns)
    remade = _remade(steps, changed_ns)
    for step in (step for step in steps if not step.temporary):
        if None in map(changed_ns, step.outputs):
            yield step, MISSING
        else:
            yield step, STALE if step in remade else DONE


def _remade(steps: list[Step], changed_ns: Times) -> set[Step]:
    """The steps that Snakemake would run: for a reason of their own, after one of these, or as missing for one."""
    maker = {path: step for step in steps for path in step.outputs}
    users = _users(steps, changed_ns)
    made_ns = _made_ns(steps, users, changed_ns)
    waiting = [step for step in steps if _has_reason(step, made_ns[step], changed_ns)]
    remade = set(waiting)
    while waiting:
        step = waiting.pop()
        missing = {maker[path] for path in _needed(step) if path in maker and changed_ns(path) is None}
        reached = missing.union(*(users[path] for path in step.outputs)) - remade
        waiting.extend(reached)
        remade |= reached
    return remade


def _needed(step: Step) -> tuple[str, ...]:
    return step.inputs + step.ancient


def _users(steps: list[Step], changed_ns: Times) -> dict[str, list[Step]]:
    """Path -> the steps that are made again after it; after an ancient input only where that is missing."""
    users = defaultdict(list)
    for step in steps:
        for path in (*step.inputs, *(path for path in step.ancient if changed_ns(path) is None)):
            users[path].append(step)
    return users


def _made_ns(steps: list[Step], users: dict[str, list[Step]], changed_ns: Times) -> dict[Step, int | None]:
    """When each step was made: its oldest output, or as for Snakemake where none is there, the oldest made after it."""
    made_ns: dict[Step, int | None] = {}
    for step in reversed(steps):
        times = [changed_ns(path) for path in step.outputs]
        if not any(times):
            times = [made_ns[user] for path in step.outputs for user in users[path]]
        made_ns[step] = min(filter(None, times), default=None)
    return made_ns


def _changed_ns(path: str) -> int | None:
    """When a file was last written, or a folder completed by Snakemake; None where that has not been."""
    try:
        status = os.stat(path)
        return (os.stat(f"{path}/.snakemake_timestamp") if S_ISDIR(status.st_mode) else status).st_mtime_ns
    except OSError:
        return None


def _has_reason(step: Step, made_ns: int | None, changed_ns: Times) -> bool:
    """Whether a step is to be run whatever becomes of others."""
    if None in map(changed_ns, step.asked):
        return True
    record = _record(step.outputs[0])
    newer = [path for path in step.inputs if made_ns and (changed_ns(path) or 0) > made_ns]
    return (
        _has_other_recipe(step, record, changed_ns)
        or set(record.get("input", _needed(step))) != set(_needed(step))
        or _has_other_content(newer, record)
    )


def _has_other_recipe(step: Step, record: dict, changed_ns: Times) -> bool:
    """Whether an output says so, or of what outputs do not hold, Snakemake's record."""
    parameters = {repr(parameter) for parameter in step.parameters}
    if step.recorded and changed_ns(step.recorded):
        if _digest_in(step.recorded) != step.digest:
            return True
    else:
        parameters.add(repr(step.digest))
    return not parameters.issubset(record.get("params", parameters))


def _has_other_content(newer: list[str], record: dict) -> bool:
    """Whether one of the inputs that are newer than the outputs is not what Snakemake recorded when it made them."""
    recorded = record.get("input_checksums", {})
    return any(path not in recorded or recorded[path] != f"sha256:{file_hash(path)}" for path in newer)


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
        length = os.pathconf(_RECORDS, "PC_NAME_MAX") - 1
        *folders, last = (name[at : at + length] for at in range(0, len(name), length))
        record = json.loads(_RECORDS.joinpath(*(f"@{folder}" for folder in folders), last).read_text())
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in record.items() if value is not None}


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
