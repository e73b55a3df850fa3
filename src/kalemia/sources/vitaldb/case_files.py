"""The `.vital` file of a case on this machine: in a folder, or fetched and then kept with one lead alone."""

import hashlib
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol

from kalemia.core.files.atomic import atomic_file
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.formats.vital_files import extract_lead
from kalemia.sources.remote.download_tables import SUMS, complete_download, parse_sums
from kalemia.sources.remote.http_files import FetchError, Web

_LOCAL_NAMES = ("vital_files/{:04}.vital", "{:04}.vital", "{}.vital")


class CaseFiles(Protocol):
    """Where the files of cases are."""

    where: str
    fetched_bytes: int

    def path(self, case: int, lead: str) -> Path:
        """A file with the lead, if the case has it; raises `FileNotFoundError` and `UnreadableRecordingError`."""

    def has(self, case: int, lead: str) -> bool:
        """Whether nothing need be fetched for the lead of a case."""

    def size(self, case: int) -> int | None:
        """The bytes of a case's file on the server, 0 if it is not there; None if they are not said."""


class LocalCaseFiles:
    """Files in a folder, named as PhysioNet's or those of the web API."""

    fetched_bytes = 0

    def __init__(self, folder: str | Path):
        self.where = str(folder)
        self._folder = Path(folder)

    def path(self, case: int, lead: str) -> Path:
        paths = [self._folder / name.format(case) for name in _LOCAL_NAMES]
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise FileNotFoundError(paths[0])
        return found

    def has(self, case: int, lead: str) -> bool:
        return True

    def size(self, case: int) -> int:
        return 0


class FetchedCaseFiles:
    """Files of a server, each fetched once: its lead is kept in `cache`, and the rest, most of it, is deleted.

    name_of: the path of a case's file on the server. Files are compared with SHA256SUMS.txt if `has_sums`; otherwise
    the checksum within each must do.
    """

    def __init__(self, web: Web, name_of: Callable[[int], str], has_sums: bool, cache: Path):
        self.where = web.base_url
        self._web, self._name_of, self._has_sums, self._cache = web, name_of, has_sums, cache

    @property
    def fetched_bytes(self) -> int:
        return self._web.fetched_bytes

    def path(self, case: int, lead: str) -> Path:
        kept = self._kept(case, lead)
        if not kept.is_file():
            try:
                fetched = self._fetch(self._name_of(case))
            except FetchError as error:
                raise UnreadableRecordingError(error.reason, error.detail) from None
            try:  # a damaged file is deleted too, so that the next run fetches it again
                self._compare(fetched, self._name_of(case))
                with atomic_file(kept) as part:
                    extract_lead(fetched, lead, part)
            finally:
                fetched.unlink()
        return kept

    def has(self, case: int, lead: str) -> bool:
        return self._kept(case, lead).is_file()

    def size(self, case: int) -> int | None:
        try:
            return self._web.size(self._name_of(case))
        except FileNotFoundError:
            return 0
        except FetchError:
            return None

    def _kept(self, case: int, lead: str) -> Path:
        return self._cache / re.sub(r"\W+", "-", lead) / f"{case:04}.vital"

    def _fetch(self, name: str) -> Path:
        """The whole file; what has come of it stays if that is interrupted."""
        path = self._cache / "fetched" / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        complete_download(self._web, name, path)
        return path

    def _compare(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            if self._sums.get(name) not in (None, hashlib.file_digest(file, "sha256").hexdigest()):
                raise UnreadableRecordingError("checksum", f"{name}: its SHA-256 is not the one in {SUMS}")

    @cached_property
    def _sums(self) -> dict[str, str]:
        """Path of a file on the server -> its published SHA-256."""
        if not self._has_sums:
            return {}
        kept = self._cache / SUMS
        if not kept.is_file():
            with atomic_file(kept) as part:
                part.write_bytes(self._web.whole(SUMS))
        return parse_sums(kept.read_text())
