"""Fetch what a study needs from the web before it runs, into the cache of its jobs, or say what that would be."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.compute as pc

from kalemia.cohort.select_cohort import select_draws
from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.jobs import track_progress
from kalemia.core.wording import plural
from kalemia.sources import Source
from kalemia.sources.description import SourceDescription
from kalemia.sources.registry import describe_source
from kalemia.sources.remote.download_tables import download_study_table, table_bytes, tables_web
from kalemia.sources.remote.fetch_notice import announce_fetch
from kalemia.sources.remote.fetch_progress import watch_bytes
from kalemia.sources.remote.http_files import Web
from kalemia.sources.storage import NotFetchedError

_LATER = "then the ECG of the draws to read, from {}: how much is known when the above is fetched"
_MAX_DRY_ATTEMPTS = 2  # for a size that can be asked again
Excerpts = dict[str, list[tuple[int, int]]]  # recording -> the samples of each draw


def fetch_lines(study: Study, is_dry: bool = False) -> Iterator[str]:
    """Fetch tables, lists, headers and the ECG of the draws to read, each after a line that says how much it is.

    What is there already is not fetched again. If `is_dry`, only sizes are asked for. Raises `UserError`, after a line
    for each, if files are missing in folders on this machine.
    """
    if is_dry:
        n_attempts = min(study.source.max_attempts, _MAX_DRY_ATTEMPTS)
        study = dataclasses.replace(study, source=dataclasses.replace(study.source, max_attempts=n_attempts))
    description = describe_source(study)
    description.check()
    if missing := description.missing_files():
        yield from missing
        raise UserError(f"study {study.study}: {plural(len(missing), 'needed file')} missing on this machine")
    if not (description.downloads_tables or description.downloads_recordings):
        yield f"study {study.study}: nothing to fetch: {description.description}, on this machine"
        return
    has_tables = _fetch_tables(study, description, is_dry)
    if not description.downloads_recordings:
        yield f"recordings: in {description.waveforms}"
        return
    if not has_tables and description.matches_by_tables:
        yield _LATER.format(description.waveforms)
        return
    source = description.open()
    if is_dry:
        source.stay_offline()
    try:
        source.recording_names()
        if not has_tables:
            raise NotFetchedError
        excerpts = _excerpts_to_read(study, source)
    except NotFetchedError:
        yield _LATER.format(source.where)
        return
    sizes = _sizes(study, source, excerpts, is_about=is_dry)
    to_fetch = {name: mine for name, mine in excerpts.items() if sizes[name]}
    if to_fetch:
        n_excerpts, n_bytes = sum(map(len, to_fetch.values())), sum(sizes.values())
        announce_fetch("ECG excerpt", n_excerpts, n_bytes, source.where, is_about=is_dry)
        if is_dry:
            return
        yield from _fetch_ecg(study, source, to_fetch, n_bytes)
    yield f"study {study.study}: everything that could be fetched is here, and its jobs need no network"


def _fetch_tables(study: Study, description: SourceDescription, is_dry: bool) -> bool:
    """Download the tables that are not there yet; whether all are there now."""
    names = [name for name in description.downloaded_tables() if not Path(description.table_path(name)).is_file()]
    if not names:
        return True
    web = tables_web(study)
    announce_tables(web, description, names)
    if is_dry:
        return False
    for name in names:
        download_study_table(web, description, name, description.table_path(name))
    return True


def announce_tables(web: Web, description: SourceDescription, names: Sequence[str]) -> None:
    """Print how much some tables are that will be downloaded; raises `UserError`."""
    n_bytes = None
    if description.publishes_sums:
        n_bytes = sum(table_bytes(web, description.published_name(name)) for name in names)
    announce_fetch("table", len(names), n_bytes, web.base_url)


def _excerpts_to_read(study: Study, source: Source) -> Excerpts:
    """The excerpts that the workflow will read; fetches lists and the headers of recordings."""
    draws, _ = select_draws(source, study.analyte, study.cohort, study.populations, study.seed)
    excerpts: Excerpts = defaultdict(list)
    for draw in draws.filter(pc.is_valid(draws["candidate_population"])).to_pylist():
        excerpts[draw["recording"]].append((draw["sample_from"], draw["sample_to"]))
    return excerpts


def _sizes(study: Study, source: Source, excerpts: Excerpts, is_about: bool) -> dict[str, int]:
    """Recording -> the bytes of its excerpts that are not in the cache."""

    def size(name: str) -> int:
        return source.bytes_to_fetch(source.recording(name), study.cohort.lead, excerpts[name], is_about=is_about)

    with ThreadPoolExecutor(source.connections) as pool:
        sizes = track_progress("headers of the ECG", pool.map(size, excerpts), len(excerpts))
        return dict(zip(excerpts, sizes, strict=True))


def _fetch_ecg(study: Study, source: Source, excerpts: Excerpts, n_bytes: int) -> Iterator[str]:
    """Read every excerpt, so that its bytes are in the cache; says what could not be read."""

    def problems(name: str) -> list[str]:
        recording, lead = source.recording(name), study.cohort.lead
        read = (source.read_lead(recording, lead, *span) for span in excerpts[name])
        return [problem.reason for excerpt in read for problem in excerpt.problems]

    pool = ThreadPoolExecutor(source.connections)
    try:
        with watch_bytes("ECG", n_bytes, lambda: source.fetched_bytes):
            reasons = Counter(reason for of_recording in pool.map(problems, excerpts) for reason in of_recording)
    finally:
        pool.shutdown(cancel_futures=True)
    for reason, n in reasons.most_common():
        yield f"cannot be read: {plural(n, 'excerpt')}: {reason}"
