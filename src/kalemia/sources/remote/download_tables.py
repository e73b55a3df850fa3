"""Clinical tables downloaded once, with the user's credentials, and checked against the published SHA-256."""

import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from isal import igzip

from kalemia.core.config import Study
from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file, make_folder, writing
from kalemia.sources.description import SourceDescription
from kalemia.sources.remote.fetch_progress import watch_bytes
from kalemia.sources.remote.http_files import AccessRefusedError, FetchError, UnknownSizeError, Web, keeps_secrets

log = logging.getLogger(__name__)

_PHYSIONET = "physionet.org"
SUMS = "SHA256SUMS.txt"
_PART_BYTES = 1 << 20, 1 << 25  # of a request: the first one, and the largest
_SHORT_S = 10.0  # a part that took less is followed by one of twice its size


def credentials(url: str, also_to: str | None = None) -> tuple[str, str] | None:
    """User name and password from PHYSIONET_USERNAME and PHYSIONET_PASSWORD; None if neither is set; netrc then counts.

    None for a host that is neither PhysioNet's nor `also_to`: it must not learn them. Raises `UserError` if only one is
    set, or if they would be sent unencrypted.
    """
    name, password = (os.environ.get(f"PHYSIONET_{part}", "") for part in ("USERNAME", "PASSWORD"))
    if (not name and not password) or not may_have_credentials(url, also_to):
        return None
    if not name or not password:
        raise UserError("set both PHYSIONET_USERNAME and PHYSIONET_PASSWORD, or neither to use netrc")
    if not keeps_secrets(url):
        raise UserError(f"source.tables: {url} is not encrypted; credentials are sent by https only")
    return name, password


def may_have_credentials(url: str, also_to: str | None) -> bool:
    """Whether a URL is of PhysioNet, or of the host `also_to`."""
    host = urlsplit(url).hostname or ""
    return host == _PHYSIONET or host.endswith(f".{_PHYSIONET}") or host == (also_to or "").lower() != ""


def download_study_table(web: Web, description: SourceDescription, table: str, path: str | Path) -> None:
    """Download a table of a study's source, by its name, to `path`; raises `UserError`.

    web: of `tables_web`.
    """
    name = description.published_name(table)
    if description.publishes_sums:
        download_table(web, name, description.study.cache_folder, path)
    else:
        download_unlisted_table(web, name, path)


def tables_web(study: Study) -> Web:
    """The server of a study's tables, with the user's credentials if it may have them."""
    source = study.source
    auth = credentials(source.tables, source.credentials_host)
    return Web(source.tables, source.max_attempts, source.timeout_s, auth=auth)


def download_table(web: Web, name: str, cache: str | Path, path: str | Path) -> None:
    """Download one file below the base URL to `path`, complete and with the published SHA-256.

    A table ``NAME.csv.gz`` that is published as ``NAME.csv``, as those of the demo are, is compressed here. Received
    parts are kept in `cache` until then, so that a restart continues where it stopped. Raises `UserError`.
    """
    with _told_to_users(web, name):
        published, expected = _published_file(web, name)
        part = Path(cache) / f"{published}.part"
        make_folder(part.parent)
        complete_download(web, published, part)
    with part.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        part.unlink()
        raise UserError(
            f"{web.base_url}/{published}: its SHA-256 is not the one in {SUMS}; run again to download it once more"
        )
    with atomic_file(path) as temporary:
        if published == name:
            shutil.move(part, temporary)
        else:
            # without a file object its random name would be part of the file
            with (
                part.open("rb") as plain,
                temporary.open("wb") as file,
                igzip.IGzipFile("", "wb", fileobj=file, mtime=0) as compressed,
            ):
                shutil.copyfileobj(plain, compressed)
    part.unlink(missing_ok=True)


def download_unlisted_table(web: Web, name: str, path: str | Path) -> None:
    """Download one small table of a server without sums to `path`, gzipped; raises `UserError`."""
    try:
        content = web.whole(name)
    except (FileNotFoundError, FetchError) as error:
        raise UserError(f"source.tables: {web.base_url}/{name} cannot be fetched ({error})") from None
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        file.write(igzip.compress(content, mtime=0))


def table_bytes(web: Web, name: str) -> int:
    """The size of a table as it is published; raises `UserError`."""
    with _told_to_users(web, name):
        return web.size(_published_file(web, name)[0])


@contextmanager
def _told_to_users(web: Web, name: str) -> Iterator[None]:
    """Raise failures to fetch a table as `UserError`."""
    try:
        yield
    except AccessRefusedError:
        raise UserError(
            f"{web.base_url}: access to {name} is denied; set PHYSIONET_USERNAME and PHYSIONET_PASSWORD (or netrc) of"
            f" an account with access to the database, and source.credentials_host if it is not {_PHYSIONET}'s,"
            " see docs/mimic3.md"
        ) from None
    except FileNotFoundError:
        raise UserError(f"source.tables: {web.base_url} has no {name} or no {SUMS}; is it a database's URL?") from None
    except FetchError as error:
        raise UserError(f"source.tables: {error}; run again: downloaded parts are kept") from None


def parse_sums(text: str) -> dict[str, str]:
    """Path -> SHA-256 of each file that a SHA256SUMS.txt lists.

    >>> parse_sums("ab12 *files/one.dat\n")
    {'files/one.dat': 'ab12'}
    """
    lines = (line.partition(" ") for line in text.splitlines())
    return {file.strip().lstrip("*").removeprefix("./"): sum_ for sum_, _, file in lines}


def _published_file(web: Web, name: str) -> tuple[str, str]:
    """The name under which a table is published, with or without ``.gz``, and its SHA-256."""
    sums = parse_sums(web.whole(SUMS).decode("utf-8", "replace"))
    for published in (name, name.removesuffix(".gz")):
        if published in sums:
            return published, sums[published]
    raise UserError(f"{web.base_url}/{SUMS} does not list {name}; is it the URL of a database's files?")


def complete_download(web: Web, name: str, part: Path) -> None:
    """Append the missing bytes of a file to `part`; raises as `Web.whole`.

    From a server that tells no sizes or sends no parts the file comes whole, however much of it there was.
    """
    try:
        size = web.size(name)
    except UnknownSizeError:
        part.write_bytes(web.whole(name))
        return
    start = part.stat().st_size if part.exists() else 0
    if start > size:
        part.unlink()
        start = 0
    step, largest = _PART_BYTES
    with watch_bytes(name, size - start, lambda: web.fetched_bytes), part.open("ab") as file:
        while start < size and web.has_ranges:
            began_s = time.monotonic()
            content = web.span(name, start, min(start + step, size))
            with writing(part):
                file.write(content)
                file.flush()
            start += step
            if time.monotonic() - began_s < _SHORT_S:
                step = min(2 * step, largest)
    if start < size:
        part.write_bytes(web.whole(name))
