"""Clinical tables downloaded once, with the user's credentials, and checked against the published SHA-256."""

import hashlib
import logging
import os
import shutil
from pathlib import Path

from kalemia.core.errors import UserError
from kalemia.core.jobs import track_progress
from kalemia.core.tables import whole_file
from kalemia.sources.http_files import AccessRefusedError, FetchError, Web, keeps_secrets

log = logging.getLogger(__name__)

SUMS = "SHA256SUMS.txt"
_PART_BYTES = 1 << 23


def credentials(url: str) -> tuple[str, str] | None:
    """User name and password from PHYSIONET_USERNAME and PHYSIONET_PASSWORD; None leaves it to netrc.

    Raises `UserError` if only one is set, or if they would travel unencrypted.
    """
    name, password = (os.environ.get(f"PHYSIONET_{part}", "") for part in ("USERNAME", "PASSWORD"))
    if not name and not password:
        return None
    if not name or not password:
        raise UserError("set both PHYSIONET_USERNAME and PHYSIONET_PASSWORD, or neither to use netrc")
    if not keeps_secrets(url):
        raise UserError(f"source.tables: {url} is not encrypted; credentials are sent by https only")
    return name, password


def download_table(web: Web, name: str, cache: str | Path, path: str | Path) -> None:
    """Write one file below the web's base URL to `path`, once it is whole and its SHA-256 is the published one.

    What has come is kept in `cache` until then, so that a restart goes on where it stopped. Raises `UserError`.
    """
    try:
        expected = _published_sum(web, name)
        part = Path(cache) / f"{name}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        _complete(web, name, part)
    except AccessRefusedError:
        raise UserError(
            f"{web.base_url}: access to {name} is refused; set PHYSIONET_USERNAME and PHYSIONET_PASSWORD (or netrc) of"
            " an account with access to the database, see docs/mimic3.md"
        ) from None
    except FileNotFoundError:
        raise UserError(f"source.tables: {web.base_url} has no {name} or no {SUMS}; is it a database's URL?") from None
    except FetchError as error:
        raise UserError(f"source.tables: {error}; run again: what has been fetched is kept") from None
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        part.unlink()
        raise UserError(f"{web.base_url}/{name}: its SHA-256 is not the one in {SUMS}; run again to download it anew")
    with whole_file(path) as beside:
        shutil.move(part, beside)


def _published_sum(web: Web, name: str) -> str:
    for line in web.whole(SUMS).decode("utf-8", "replace").splitlines():
        sum_, _, file = line.partition(" ")
        if file.strip().lstrip("*") == name:
            return sum_
    raise UserError(f"{web.base_url}/{SUMS} does not name {name}; is it the URL of a database's files?")


def _complete(web: Web, name: str, part: Path) -> None:
    """Append to `part` what it lacks."""
    size = web.size(name)
    began = part.stat().st_size if part.exists() else 0
    if began > size:
        part.unlink()
        began = 0
    starts = range(began, size, _PART_BYTES)
    with part.open("ab") as file:
        for start in track_progress(f"{name}, parts of 8 MiB", starts, len(starts)):
            file.write(web.span(name, start, min(start + _PART_BYTES, size)))
            file.flush()
