"""Storage of a WFDB database: a folder, or a base URL with a cache that is kept if a job is killed."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file
from kalemia.sources import UnreadableRecordingError
from kalemia.sources.remote.download_tables import complete_download
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
            raise UnreadableRecordingError("truncated file", f"{path}: has only {path.stat().st_size} bytes")
        return str(self._root / record), start


class HttpStorage:
    """Files below a base URL. Headers are fetched whole, samples by exact byte range; both are kept in `cache`.

    Each range becomes a small record; its header is written last, with the SHA-256 of the samples.
    """

    def __init__(self, web: Web, cache: str | Path):
        self.where = web.base_url
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
        content = self._fetched(name)
        parsed = parse(content.decode("latin-1"))
        self._keep(path, content)
        return parsed

    def local_copy(self, name: str) -> Path:
        """Fetched in parts, which are kept if that is interrupted."""
        path = self._cache / name
        if not path.is_file():
            part = path.with_name(f"{path.name}.part")
            part.parent.mkdir(parents=True, exist_ok=True)
            try:
                complete_download(self._web, name, part)
            except FetchError as error:
                raise UnreadableRecordingError(error.reason, error.detail) from None
            part.replace(path)
        return path

    def header(self, record: str) -> str:
        path = self._cache / f"{record}.hea"
        if not path.is_file():
            content = self._fetched(f"{record}.hea")
            name = record.rsplit("/", 1)[-1].encode()
            if not content.startswith((name + b" ", name + b"/")):
                raise UnreadableRecordingError("unreadable header", f"{record}: the server sent something else")
            self._keep(path, content)
        return str(path.with_suffix(""))

    def samples(self, record: str, file: SampleFile, start: int, stop: int) -> tuple[str, int]:
        name = record.rsplit("/", 1)[-1]
        piece = (self._cache / record).parent / f"{name}.samples" / f"{Path(file.name).stem}-{start}-{stop}"
        span = file.byte_span(start, stop)
        if not _is_whole(piece):
            content = self._fetched(f"{record.rsplit('/', 1)[0]}/{file.name}", span)
            self._keep(piece.with_suffix(".dat"), content)
            header = file.header_of_piece(piece.name, start, stop)
            self._keep(piece.with_suffix(".hea"), f"{header}# sha256 {_sha256(content)}\n".encode())
        return str(piece), start - file.first_frame(start)

    def _fetched(self, name: str, span: tuple[int, int] | None = None) -> bytes:
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
