"""Say before any job whether a study can run, and how far: recordings, draws, people, claims, disk, credentials."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from kalemia.before_jobs import check_credentials, is_credentialed
from kalemia.cohort.generic_set import choose_generic_draws, count_splits_by_class
from kalemia.cohort.inclusion_flow import CHOICES, STEP_BY_REASON, TOO_FEW_MINUTES
from kalemia.cohort.labs import build_draws
from kalemia.cohort.populations import is_personal
from kalemia.cohort.select_cohort import select_draws, unusable_lines
from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.config import ROLLING, Study, is_url
from kalemia.core.errors import UserError
from kalemia.core.paths import subject_name
from kalemia.core.wording import align_columns, join_with_and, plural
from kalemia.evaluation.between_patients.claims import MIN_PEOPLE
from kalemia.evaluation.claims.rule import CLAIMS, MIN_PATIENTS, MIN_TEST_RUNS, Claim
from kalemia.personal.arms import draws_by_subject
from kalemia.personal.episodes import labeled_in_time_order
from kalemia.personal.splits import count_runs, split_draws
from kalemia.run_plan import disk_mb
from kalemia.sources.description import LoneSubjects, RecordingRow, SourceDescription
from kalemia.sources.registry import describe_source
from kalemia.sources.remote.download_tables import credentials

_MAX_ROWS = 30  # of a table; what is not used is always shown
_MAX_NAMES = 5
_BYTES_A_MINUTE = 1e5  # of ECG: excerpt, beats and what is made of them, measured on the default study
_CONTROL_OF = {"n_shifted": "shifted", "n_strangers": "stranger"}  # what the rule counts -> negative control
_CLASSES = {"positive": 1, "negative": 0, "neither": None}


def check_lines(study: Study) -> Iterator[str]:
    """What is there and what is missing, line by line; raises `UserError` if the study cannot run.

    Opens the user's own recordings and local tables, and asks no server for anything.
    """
    try:
        yield from _lines(study)
    except UserError as error:
        raise UserError(f"the study cannot run: {error}") from None


def _lines(study: Study) -> Iterator[str]:
    description = describe_source(study)
    description.check()
    place = next(folder for folder in (Path(study.results), *Path(study.results).absolute().parents) if folder.exists())
    if not place.is_dir():
        raise UserError(f"results: {place} is a file, not a folder; name another place")
    yield f"study {study.study}: {description.description}; results go to {study.results}"
    yield from _credential_lines(study)
    check_credentials(study)
    tables = description.cohort_tables()
    missing = [table for table in tables if not Path(table).is_file()]
    if missing:  # they are simulated or downloaded, as the tables of a folder are there
        yield from _unknown_lines(study, description, len(missing))
        yield from _disk_lines(study, 1e6 * disk_mb(study), "study")
        return
    yield f"tables: {join_with_and(tables)}"
    rows = list(description.recording_rows())
    yield from _recording_lines(description, rows)
    yield from _lone_subject_lines(description.lone_subjects())
    draws = _draws(study, description, {row.name: row.reason for row in rows if row.reason})
    names = SubjectNames({subject_name(number): name for number, name in description.subject_names().items()})
    yield from _draw_lines(draws)
    to_read = draws.filter(pc.is_valid(draws["candidate_population"])) if _is_matched(draws) else draws.slice(0, 0)
    yield from _disk_lines(study, len(to_read) * study.cohort.window_minutes * _BYTES_A_MINUTE, "ECG")
    yield from _people_lines(study, draws, names)
    if not _is_matched(draws):
        yield (
            "claims and generic network: not known yet, because a check asks no server for the headers of the"
            f" recordings; `snakemake ... -- {study.results}/cohort/draws.parquet` reads them and says who is in which"
            " population"
        )
        return
    if study.populations.personal_min_draws:
        yield from _claim_lines(study, draws_by_subject(_of_population(to_read, "personal")))
    yield from _generic_lines(study, _of_population(to_read, "generic"))
    reasons = draws["reason"].drop_null().to_pylist()
    n_lost = sum(row.reason is not None for row in rows), sum(STEP_BY_REASON[why] not in CHOICES for why in reasons)
    lost = [plural(n, noun) for n, noun in zip(n_lost, ("recording", "draw"), strict=True) if n]
    yield f"the study can run{f', without {join_with_and(lost)} (see above)' if lost else ''}"


def _credential_lines(study: Study) -> Iterator[str]:
    """Whether there are credentials for each server, without showing them."""
    from kalemia.sources.remote.http_files import netrc_credentials

    places = (study.source.waveforms, study.source.tables)
    for host, url in {urlsplit(url).hostname: url for url in places if url and is_url(url)}.items():
        if credentials(url, study.source.credentials_host):
            found = "in PHYSIONET_USERNAME and PHYSIONET_PASSWORD"
        else:
            none = "none" if any(map(is_credentialed, filter(None, places))) else "none, and open data need none"
            found = "in netrc" if netrc_credentials(url) else none
        yield f"credentials for {host}: {found}"


def _unknown_lines(study: Study, description: SourceDescription, n_missing: int) -> Iterator[str]:
    """What is not known before the tables are there, and what makes it known."""
    job = f"`snakemake ... -- {study.results}/cohort/draws.parquet`"
    if description.is_simulated:
        why, then = "the patients are simulated when the study runs", f"{job} simulates them"
    else:
        why = f"still to be downloaded: {plural(n_missing, 'table')} of {study.source.tables}"
        then = f"`kalemia fetch` with the same arguments downloads them, as {job} does"
    yield f"draws, people, claims and generic network: not known yet; {why}"
    yield f"  {then}; then check again"


def _recording_lines(description: SourceDescription, rows: Sequence[RecordingRow]) -> Iterator[str]:
    if description.downloads_recordings:
        yield f"recordings: at {description.waveforms}, listed and read when the jobs run"
        return
    if not rows:
        names = description.open().recording_names()
        yield f"recordings: {plural(sum(map(len, names.values())), 'recording')} of {plural(len(names), 'person')}"
        return
    lost, used = ([row for row in rows if (row.reason is not None) is is_lost] for is_lost in (True, False))
    yield f"recordings: {len(used)} of {plural(len(rows), 'recording')} can be read"
    for row in lost:
        yield f"  not used: {row.name} ({row.place}): {row.notes}"
    shown = used[:_MAX_ROWS]
    cells = [(row.name, row.lead, row.rate, row.unit, row.minutes, row.notes) for row in shown]
    if used:
        yield from _indented([("recording", "lead", "rate", "unit", "minutes", ""), *cells])
    if len(shown) < len(used):
        yield f"  and {len(used) - len(shown)} more that can be read"


def _lone_subject_lines(lone: LoneSubjects) -> Iterator[str]:
    """Who is in one table alone, and whose name is nearly one of the other table."""
    for has, lacks, names in (
        ("blood samples", "recording", lone.without_recording),
        ("recordings", "blood sample", lone.without_draw),
    ):
        if names:
            more = f" and {len(names) - _MAX_NAMES:,} more" if len(names) > _MAX_NAMES else ""
            yield f"subjects with {has} and no {lacks}: {', '.join(map(repr, names[:_MAX_NAMES]))}{more}"
    for recorded, drawn in lone.alike[:_MAX_NAMES]:
        yield f"  if {recorded!r} of recordings.csv and {drawn!r} of potassium.csv are one person, write one name"


def _draws(study: Study, description: SourceDescription, lost: dict[str, str]) -> pa.Table:
    """All draws; with the candidate populations, unless a server would have to be asked about recordings.

    lost: why recordings that were opened cannot be used; no draw of theirs is to be read.
    """
    source = description.open()
    if description.matches_by_tables or not description.downloads_recordings:
        draws = select_draws(source, study.analyte, study.cohort, study.populations, study.seed)[0]
        return _without_recordings(draws, lost)
    draws = build_draws(source.analyte_rows(study.analyte.items), study.analyte)
    by_code = source.excluded_by_code() if study.cohort.exclude_codes else {}
    coded = pa.array([by_code.get(subject) for subject in draws["subject_id"].to_pylist()], pa.string())
    place = draws.column_names.index("reason")
    return draws.set_column(place, "reason", pc.coalesce(draws["reason"], coded))


def _without_recordings(draws: pa.Table, lost: dict[str, str]) -> pa.Table:
    """The draws, those of lost recordings with a reason and without a recording."""
    rows = draws.to_pylist()
    for row in rows:
        if row["recording"] in lost:
            row |= {"reason": row["reason"] or lost[row["recording"]], "recording": None, "candidate_population": None}
    return pa.Table.from_pylist(rows, draws.schema)


def _is_matched(draws: pa.Table) -> bool:
    return "candidate_population" in draws.column_names


def _draw_lines(draws: pa.Table) -> Iterator[str]:
    """How many draws have a value and an ECG, by class, and why the others do not."""
    yield f"draws: {plural(len(draws), 'value')} of {plural(len(pc.unique(draws['subject_id'])), 'person')}"
    usable = draws.filter(pc.is_null(draws["reason"]))
    counts = Counter(usable["label"].to_pylist())
    of_class = ", ".join(f"{counts[label]} {name}" for name, label in _CLASSES.items())
    what = "to be read" if _is_matched(draws) else "with a usable value"
    people = plural(len(pc.unique(usable["subject_id"])), "person")
    yield f"  {what}: {plural(len(usable), 'draw')} of {people} ({of_class})"
    for reason, n in Counter(draws["reason"].drop_null().to_pylist()).most_common():
        yield f"  not read: {plural(n, 'draw')}: {reason}{_minutes_of_first(draws, reason)}"
    yield from (f"  {line}" for line in unusable_lines(draws)) if _is_matched(draws) else ()


def _minutes_of_first(draws: pa.Table, reason: str) -> str:
    """In parentheses, how many minutes were recorded before the first draw that has too few; else empty."""
    if reason != TOO_FEW_MINUTES:
        return ""
    of_reason = draws.filter(pc.equal(draws["reason"], reason)).sort_by("draw_id")
    return f" (first: {of_reason['detail'][0].as_py()})"


def _people_lines(study: Study, draws: pa.Table, names: SubjectNames) -> Iterator[str]:
    """Who may get a personal network, and who comes nearest; draws with a recording count, read or not.

    Where recordings are not known yet, all usable values count.
    """
    least = study.populations.personal_min_draws
    if least is None:
        yield "personal networks: none, because populations.personal_min_draws is null"
        return
    counted = pc.is_valid(draws["recording"]) if _is_matched(draws) else pc.is_null(draws["reason"])
    of_person: dict[int, list[dict]] = {}
    for row in draws.filter(counted).select(["subject_id", "label"]).to_pylist():
        of_person.setdefault(row["subject_id"], []).append(row)
    counts = {subject: Counter(row["label"] for row in rows) for subject, rows in of_person.items()}
    order = sorted(counts, key=lambda one: (-min(counts[one][0], counts[one][1]), names[subject_name(one)]))
    enough = [subject for subject in order if is_personal(of_person[subject], least)]
    if_good = "if the ECG of their draws is good enough" if _is_matched(draws) else "if all their values have an ECG"
    people, draws_needed = plural(len(enough), "person"), plural(least, "draw")
    yield f"personal networks: {people}, {if_good} (at least {draws_needed} of each class)"
    shown = [*enough[:_MAX_ROWS], *[subject for subject in order if subject not in enough][:3]]
    rows = [
        (names[subject_name(one)], str(counts[one][1]), str(counts[one][0]), "yes" if one in enough else "too few")
        for one in shown
    ]
    yield from _indented([("person", "positive", "negative", "personal"), *rows])


def _claim_lines(study: Study, personal: dict[int, list]) -> Iterator[str]:
    """What each claim lacks, by the rule of the claims, if the ECG of every draw were good."""
    name = study.verdict.deciding_arm(study.arms)
    if name is None:
        yield "claims: none, because no arm keeps neighboring draws on one side (arms.*.protocol)"
        return
    arm, reasons, n_counted = study.arms[name], Counter(), 0
    for subject, draws in personal.items():
        split = split_draws(arm, draws, study.personal, study.seed, subject)
        tested = [draw for draw in labeled_in_time_order(draws) if draw.draw_id in set(split.test)]
        if split.reason:
            reasons[split.reason] += 1
        elif arm.protocol != ROLLING and count_runs(tested) < MIN_TEST_RUNS:
            reasons[f"the test has fewer than {MIN_TEST_RUNS} runs of one class"] += 1
        else:
            n_counted += 1
    yield f"claims, which the arm {name} ({arm.protocol}) decides: {n_counted} of at least {MIN_PATIENTS} patients"
    for reason, n in reasons.most_common():
        yield f"  not counted: {plural(n, 'person')}: {reason}"
    patients = [plural(MIN_PATIENTS - n_counted, "more patient")] if n_counted < MIN_PATIENTS else []
    for claim in CLAIMS:
        lacks = patients + _lacking_controls(CLAIMS[claim], arm.negative_controls, name)
        yield f"  {claim.replace('_', ' ')}: {f'lacks {join_with_and(lacks)}' if lacks else 'can be decided'}"


def _lacking_controls(claim: Claim, controls: dict[str, int], arm: str) -> list[str]:
    """The runs of negative controls that a claim counts and the configuration does not ask for."""
    counts = [comparison.count for comparison in claim.comparisons if comparison.count]
    least = {_CONTROL_OF[column]: n for column, n in counts}
    return [
        f"{plural(n - controls.get(kind, 0), 'more run')} of arms.{arm}.negative_controls.{kind}"
        for kind, n in least.items()
        if controls.get(kind, 0) < n
    ]


def _generic_lines(study: Study, rows: Sequence[dict]) -> Iterator[str]:
    """The generic network's people in each split; raises `UserError` if a split lacks a class."""
    usable: dict[int, list[dict]] = {}
    for row in rows:
        usable.setdefault(row["subject_id"], []).append(row)
    splits = count_splits_by_class(choose_generic_draws(usable, study.populations, study.seed))
    people = ", ".join(f"{split} {of['positive']} + {of['negative']}" for split, of in splits.items())
    yield f"generic network: people with positive + negative draws: {people}"
    lacking = [f"no {label} draw in {split}" for split, of in splits.items() for label, n in of.items() if not n]
    if lacking:
        raise UserError(
            f"the generic network has {join_with_and(lacking)}; it needs at least three"
            " people of each class, or another populations.generic_split"
        )
    few = {label: n for label, n in splits["test"].items() if n < MIN_PEOPLE}
    lacks = join_with_and([f"{plural(MIN_PEOPLE - n, 'more person')} with {label} draws" for label, n in few.items()])
    yield f"claims about the generic network: {f'its test lacks {lacks}' if few else 'can be decided'}"


def _disk_lines(study: Study, needed: float, what: str) -> Iterator[str]:
    """Free disk and the bytes needed; raises `UserError` if there is too little."""
    folder = Path(study.results).absolute()
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
    size = f"{needed / 1e9:.1f} GB" if needed >= 1e8 else f"{max(1, needed / 1e6):.0f} MB"
    about = f"; the {what} takes about {size}" if needed else ""
    yield f"disk: {free / 1e9:.1f} GB are free at {study.results}{about}"
    if free < needed:
        raise UserError("too little disk is free; set `results` to a folder with more")


def _of_population(draws: pa.Table, population: str) -> list[dict]:
    return draws.filter(pc.equal(draws["candidate_population"], population)).to_pylist()


def _indented(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    return (f"  {line}" for line in align_columns(rows))
