"""Storage of a WFDB database: a folder, or a base URL with a cache that is kept if a job is killed."""

import hashlib
import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file
from kalemia.core.files.file_lock import hold_file_lock
from kalemia.core.wording import plural
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.remote.download_tables import SUMS, complete_download, parse_sums
from kalemia.sources.remote.fetch_notice import announce_fetch
from kalemia.sources.remote.http_files import FetchError, Web
from kalemia.sources.sample_files import SampleFile

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Storage(Protocol):
    """Files by their path below the root of the database, with forward slashes."""

    where: str
    fetched_bytes: int

    def parse(self, name: str, parse: Callable[[str], _T]) -> _T:
        """What `parse` makes of a small text file; raises `FileNotFoundError`, and what `parse` raises."""

    def local_copy(self, name: str) -> Path:
        """The path of a whole file of any size on this machine; raises `FileNotFoundError`."""

    def header(self, record: str) -> str:
        """The path, without ``.hea``, of a local copy of a header; raises `FileNotFoundError`."""

    def samples(self, record: str, file: SampleFile, start: int, stop: int) -> tuple[str, int]:
        """A local WFDB record with the frames [start, stop) of one of the record's files, and the index of `start`.

        Raises `FileNotFoundError` and `UnreadableRecordingError`.
        """

    def has_header(self, record: str) -> bool:
        """Whether nothing need be fetched for a header."""

    def bytes_to_fetch(self, record: str, file: SampleFile, start: int, stop: int) -> int:
        """The bytes that `samples` would fetch."""

    def stay_offline(self) -> None:
        """Raise `NotFetchedError` from now on for what would have to be fetched."""


class NotFetchedError(Exception):
    """A file that is not in the cache, while nothing may be fetched; its message names it."""


class LocalStorage:
    """A folder on this machine."""

    fetched_bytes = 0

    def __init__(self, root: str | Path):
        self.where = str(root)
        self._root = Path(root)

    def parse(self, name: str, parse: Callable[[str], _T]) -> _T:
        return parse((self._root / name).read_text(encoding="latin-1"))

    def local_copy(self, name: str) -> Path:
        path = self._root / name
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    def header(self, record: str) -> str:
        return str(self._root / record)

    def samples(self, record: str, file: SampleFile, start: int, stop: int) -> tuple[str, int]:
        path = (self._root / record).parent / file.name
        if path.stat().st_size < file.byte_span(start, stop)[1]:
            raise UnreadableRecordingError("truncated file", f"{path}: has only {plural(path.stat().st_size, 'byte')}")
        return str(self._root / record), start

    def has_header(self, record: str) -> bool:
        return True

    def bytes_to_fetch(self, record: str, file: SampleFile, start: int, stop: int) -> int:
        return 0

    def stay_offline(self) -> None:
        pass


class HttpStorage:
    """Files below a base URL. Headers are fetched whole, samples by exact byte range; both are kept in `cache`.

    Whole files are compared with SHA256SUMS.txt, if the server has one that is not too long. Each range becomes a small
    record; its header is written last, with the SHA-256 of the samples.
    """

    def __init__(self, web: Web, cache: str | Path):
        self.where, self._is_offline = web.base_url, False
        self._web, self._cache = web, Path(cache)

    @property
    def fetched_bytes(self) -> int:
        return self._web.fetched_bytes

    def parse(self, name: str, parse: Callable[[str], _T]) -> _T:
        """A file that cannot be parsed, for example a sign-in page sent in its place, is never kept."""
        path = self._cache / name
        if path.is_file():
            try:
                return parse(path.read_text(encoding="latin-1"))
            except UserError as error:
                log.info("%s: fetching it again (%s)", path, error)
        self._announce_list(name)
        content = self._fetched(name)
        parsed = parse(content.decode("latin-1"))
        self._refuse_damaged(name, _sha256(content))
        self._keep(path, content)
        return parsed

    def local_copy(self, name: str) -> Path:
        """Fetched in parts, which are kept if that is interrupted, by one process at a time."""
        path = self._cache / name
        if not path.is_file():
            part = path.with_name(f"{path.name}.part")
            with hold_file_lock(path.with_name(f"{path.name}.lock")):
                if not path.is_file():  # another process may have fetched it meanwhile
                    self._download(name, part)
                    part.replace(path)
        return path

    def _download(self, name: str, part: Path) -> None:
        """Fetch a whole file to `part`, and compare it with its published SHA-256 if there is one."""
        self._announce_list(name)
        self._stop_if_offline(name)
        try:
            complete_download(self._web, name, part)
        except FetchError as error:
            raise UnreadableRecordingError(error.reason, error.detail) from None
        with part.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            self._refuse_damaged(name, actual)
        except UserError:
            part.unlink()
            raise

    def header(self, record: str) -> str:
        path = self._cache / f"{record}.hea"
        if not path.is_file():
            content = self._fetched(f"{record}.hea")
            name = record.rsplit("/", 1)[-1].encode()
            if not content.startswith((name + b" ", name + b"/")):
                raise UnreadableRecordingError("unreadable header", f"{record}: the server sent something else")
            if self._published_sums.get(f"{record}.hea", _sha256(content)) != _sha256(content):
                raise UnreadableRecordingError("unreadable header", f"{record}: its SHA-256 is not the one in {SUMS}")
            self._keep(path, content)
        return str(path.with_suffix(""))

    def samples(self, record: str, file: SampleFile, start: int, stop: int) -> tuple[str, int]:
        piece, span = self._piece(record, file, start, stop), file.byte_span(start, stop)
        if not _is_whole(piece):
            name = f"{record.rsplit('/', 1)[0]}/{file.name}"
            content = self._fetched(name, span)
            is_published = self._published_sums.get(name) in (None, _sha256(content))
            if span[0] == 0 and not is_published and self._size(name) == len(content):
                raise UnreadableRecordingError("checksum", f"{name}: its SHA-256 is not the one in {SUMS}")
            self._keep(piece.with_suffix(".dat"), content)
            header = file.header_of_piece(piece.name, start, stop)
            self._keep(piece.with_suffix(".hea"), f"{header}# sha256 {_sha256(content)}\n".encode())
        return str(piece), start - file.first_frame(start)

    def has_header(self, record: str) -> bool:
        return (self._cache / f"{record}.hea").is_file()

    def bytes_to_fetch(self, record: str, file: SampleFile, start: int, stop: int) -> int:
        first, last = file.byte_span(start, stop)
        return 0 if _is_whole(self._piece(record, file, start, stop)) else last - first

    def stay_offline(self) -> None:
        self._is_offline = True

    def _piece(self, record: str, file: SampleFile, start: int, stop: int) -> Path:
        """The record of a byte range in the cache, without extension."""
        name = record.rsplit("/", 1)[-1]
        return (self._cache / record).parent / f"{name}.samples" / f"{Path(file.name).stem}-{start}-{stop}"

    @cached_property
    def _published_sums(self) -> dict[str, str]:
        """Path -> SHA-256 of the files of the database; empty if it has no list of them, or one of many megabytes."""
        path = self._cache / SUMS
        if not path.is_file():
            try:
                self._keep(path, self._web.whole(SUMS))
            except FileNotFoundError:
                self._keep(path, b"")  # so that no job asks again
            except FetchError as error:
                log.info("%s: files are not compared with published sums (%s)", self.where, error)
                return {}
        return parse_sums(path.read_text(encoding="latin-1"))

    def _refuse_damaged(self, name: str, actual: str) -> None:
        if self._published_sums.get(name, actual) != actual:
            raise UserError(
                f"{self.where}/{name}: its SHA-256 is not the one in {SUMS}; run again to download it once more"
            )

    def _announce_list(self, name: str) -> None:
        announce_fetch("list of recordings", 1, self._size(name), self.where)

    def _size(self, name: str) -> int | None:
        """The size of a file; None if the server does not say it, as one that answers no HEAD."""
        try:
            return self._web.size(name)
        except FetchError:
            return None

    def _stop_if_offline(self, name: str) -> None:
        if self._is_offline:
            raise NotFetchedError(name)

    def _fetched(self, name: str, span: tuple[int, int] | None = None) -> bytes:
        self._stop_if_offline(name)
        try:
            return self._web.span(name, *span) if span else self._web.whole(name)
        except FetchError as error:
            raise UnreadableRecordingError(error.reason, error.detail) from None

    @staticmethod
    def _keep(path: Path, content: bytes) -> None:
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)


def _is_whole(piece: Path) -> bool:
    """Whether a piece is in the cache with the samples of its header."""
    try:
        header = piece.with_suffix(".hea").read_text()
        return header.endswith(f"# sha256 {_sha256(piece.with_suffix('.dat').read_bytes())}\n")
    except FileNotFoundError:
        return False


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
