"""Files of a web server, whole or in part: with retries, and checked to be what was requested."""

import logging
import random
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_netrc_auth

from kalemia import __version__
from kalemia.core.errors import UserError
from kalemia.core.jobs import is_job, log_and_print
from kalemia.core.wording import plural

_T = TypeVar("_T")

log = logging.getLogger(__name__)

_NOBODY = "https://nobody.invalid"
MAX_WHOLE_BYTES = (
    1 << 26
)  # of a file that is sent whole: lists and headers, or all of one of which a part was requested
MIN_BYTES_PER_S = 1000.0  # a body that comes more slowly is given up
MAX_PAUSE_S = 120.0
_OUTAGE = 8  # files in a row that could not be fetched: an outage, not the fault of a file
_CHUNK_BYTES = 1 << 16
# Amazon S3 answers 403, not 404, for a file that an open bucket lacks and does not let anybody list
_FROM_S3 = "x-amz-request-id"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NUMBER = re.compile(r"[0-9]{1,15}")
_RANGE = re.compile(rf"bytes ({_NUMBER.pattern})-({_NUMBER.pattern})/({_NUMBER.pattern}|\*)")


class FetchError(Exception):
    """A file that could not be fetched; `reason` is one of `kalemia.cohort.inclusion_flow.REASONS`."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class AccessRefusedError(FetchError):
    """The server refused the credentials."""


class UnknownSizeError(FetchError):
    """The server answers no question for the size of a file."""


class _TryAgainError(Exception):
    """An attempt failed for a reason that may be temporary; `after_s` is the wait that the server asks for."""

    def __init__(self, detail: str, after_s: float = 0.0, *, unreachable: bool = False):
        super().__init__(detail)
        self.after_s, self.unreachable = after_s, unreachable


def keeps_secrets(url: str) -> bool:
    """Whether credentials may be sent to a URL: encrypted, or to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


def netrc_credentials(url: str) -> tuple[str, str] | None:
    """User name and password that netrc has for the host of a URL; its default entry, which is for all, is for none."""
    found = get_netrc_auth(url)
    return None if found == get_netrc_auth(_NOBODY) else found


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of credentials: without any, requests would look into netrc."""
    return request


class _Session(requests.Session):
    """Sends no credentials unencrypted, and none to another host after a redirection, neither those of netrc."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Drop credentials where requests does; it would then look into netrc for whatever host a server names."""
        if self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)

    def send(self, request: requests.PreparedRequest, **settings) -> requests.Response:
        if not keeps_secrets(request.url):
            request.headers.pop("Authorization", None)
        return super().send(request, **settings)


class _LimitedAdapter(requests.adapters.HTTPAdapter):
    """Gives a server a total time for the headers of a response; the time limit of requests is one for each byte."""

    def __init__(self, headers_s: float, connections: int):
        self._headers_s = headers_s
        super().__init__(pool_maxsize=connections, pool_block=True)

    def init_poolmanager(self, *arguments, **settings) -> None:
        super().init_poolmanager(*arguments, **settings)
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _limited_pool(pool, self._headers_s)
            for scheme, pool in urllib3.poolmanager.pool_classes_by_scheme.items()
        }


def _limited_pool(pool: type, headers_s: float) -> type:
    """A pool of connections that are shut down if the headers of a response are not complete in time."""

    class Connection(pool.ConnectionCls):
        def getresponse(self):
            timer = threading.Timer(headers_s, _shut_down, [self.sock])
            timer.daemon = True
            timer.start()
            try:
                return super().getresponse()
            finally:
                timer.cancel()

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connected.shutdown(socket.SHUT_RDWR)


class Web:
    """The files below a base URL. `fetched_bytes` counts the bodies received, those of failed attempts too.

    has_ranges: False once the server has answered a request for a part with the whole file.

    attempts: per file; timeout_s: longest wait for a byte; connections: open at the same time; pause_s: before the
    second attempt, doubled before each further one, plus a random part of up to half of it. `auth` is (user name,
    password); without it, the host's own entry in netrc counts. `landmark` is a file that the server must have: while
    it can be fetched, another failure is the fault of its file.

    A command, unlike a job, prints which server it asks, and every attempt that fails before the first answer. It does
    not repeat a request that reaches no server at all: the person who waits can run it again.
    """

    def __init__(
        self,
        base_url: str,
        attempts: int,
        timeout_s: float,
        connections: int = 1,
        auth: tuple[str, str] | None = None,
        pause_s: float = 1.0,
        landmark: str | None = None,
    ):
        self.base_url = base_url.rstrip("/")
        self.fetched_bytes, self.has_ranges = 0, True
        self._attempts, self._timeout_s, self._pause_s = attempts, timeout_s, pause_s
        self._failed_in_a_row, self._landmark = 0, landmark
        self._has_asked = self._has_answered = False
        self._lock = threading.Lock()
        self._session = _Session()
        self._session.auth = auth or netrc_credentials(base_url) or _without_credentials
        self._session.headers.update({"User-Agent": f"Kalemia/{__version__}", "Accept-Encoding": "identity"})
        adapter = _LimitedAdapter(2 * timeout_s, connections)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def whole(self, path: str) -> bytes:
        """A whole file; raises `FileNotFoundError`, `FetchError`, and `UserError` if no file can be fetched."""
        return self._try_repeatedly(path, lambda url: self._attempt(url, None))

    def span(self, path: str, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of a file, exactly; raises as `whole` does."""
        return self._try_repeatedly(path, lambda url: self._attempt(url, (start, stop)))

    def size(self, path: str) -> int:
        """The size of a file in bytes; raises as `whole` does."""
        return self._try_repeatedly(path, self._size)

    def _try_repeatedly(self, path: str, attempt: Callable[[str], _T]) -> _T:
        self._announce()
        for number in range(self._attempts):
            try:
                result = self._attempt_once(attempt, f"{self.base_url}/{path}")
                self._failed_in_a_row = 0
                return result
            except _TryAgainError as error:
                failure = error
                is_waited_for = not self._has_answered and not is_job()
                if is_waited_for and error.unreachable:
                    break
                tell = log_and_print if is_waited_for else log.info
                tell(f"{path}: {error} (attempt {number + 1} of {self._attempts})")
            except FetchError as error:
                if error.reason == "HTTP error":
                    self._check_outage(error.detail)
                raise
            if number + 1 < self._attempts:
                # not seeded: it spreads clients over time and affects no result
                time.sleep(max(failure.after_s, self._pause_s * 2**number * random.uniform(1, 1.5)))
        self._check_outage(failure, unreachable=failure.unreachable)
        raise FetchError("HTTP error", f"{path}: {failure}")

    def _announce(self) -> None:
        """Print in a command, before its first request, which server is asked."""
        with self._lock:
            is_first, self._has_asked = not self._has_asked, True
        if is_first and not is_job():
            log_and_print(f"asking {self.base_url}")

    def _check_outage(self, failure, *, unreachable: bool = False) -> None:
        """Raise `UserError` if a file could not be fetched because the server is down."""
        self._failed_in_a_row += 1
        if unreachable or self._failed_in_a_row >= _OUTAGE or not self._has_landmark():
            raise UserError(
                f"{self.base_url} does not answer ({failure}); is this machine online? fetched files are kept"
            )

    def _has_landmark(self) -> bool:
        if self._landmark is None:
            return True
        try:
            return bool(self._attempt_once(lambda url: self._attempt(url, (0, 1)), f"{self.base_url}/{self._landmark}"))
        except (_TryAgainError, FetchError, FileNotFoundError):
            return False

    @staticmethod
    def _attempt_once(attempt: Callable[[str], _T], url: str) -> _T:
        """One attempt; of an exception of the network library only the type is reported."""
        try:
            return attempt(url)
        except requests.ConnectionError as error:
            unreachable = bool(error.args) and isinstance(error.args[0], urllib3.exceptions.MaxRetryError)
            raise _TryAgainError(type(error).__name__, unreachable=unreachable) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _TryAgainError(type(error).__name__) from None

    def _size(self, url: str) -> int:
        with self._session.head(url, timeout=(10, self._timeout_s), allow_redirects=True) as response:
            self._has_answered = True
            if response.status_code in (405, 501):
                raise UnknownSizeError("HTTP error", f"{url}: {response.status_code}")
            _check_status(response, url)
            length = _content_length(response)
        if length is None:
            raise _TryAgainError("the server does not report the size of the file")
        return length

    def _attempt(self, url: str, span: tuple[int, int] | None) -> bytes:
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        with self._session.get(url, headers=headers, stream=True, timeout=(10, self._timeout_s)) as response:
            self._has_answered = True
            _check_status(response, url)
            self.has_ranges &= not span or response.status_code == 206
            return self._part(response, span) if response.status_code == 206 else self._from_whole(response, span, url)

    def _part(self, response: requests.Response, span: tuple[int, int] | None) -> bytes:
        given = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if span is None or not given or int(given[1]) != span[0] or int(given[2]) >= span[1]:
            raise _TryAgainError("the server sent another range than requested")
        if int(given[2]) + 1 < span[1]:
            if given[3].isdigit() and int(given[2]) + 1 == int(given[3]):
                raise FetchError("truncated file", f"{response.url}: has only {plural(int(given[3]), 'byte')}")
            raise _TryAgainError("the server sent another range than requested")
        content = self._body(response, span[1] - span[0])
        if len(content) != span[1] - span[0]:
            raise _TryAgainError(f"{len(content)} of {span[1] - span[0]} bytes received")
        return content

    def _from_whole(self, response: requests.Response, span: tuple[int, int] | None, url: str) -> bytes:
        """The requested bytes of a response with the whole file."""
        length = _content_length(response)
        if length is None and "chunked" not in response.headers.get("Transfer-Encoding", ""):
            raise _TryAgainError("the server does not report the size of the file")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            length = None  # it is that of the compressed body, which urllib3 compares
        if length is not None and length > MAX_WHOLE_BYTES:
            why = "the server supports no byte ranges, and the file" if span else "the file"
            raise FetchError("HTTP error", f"{url}: {why} is too large to fetch whole ({length:,} bytes)")
        content = self._body(response, MAX_WHOLE_BYTES if length is None else length)
        if length is not None and len(content) != length:
            raise _TryAgainError(f"{len(content)} of {length} bytes received")
        if span and len(content) < span[1]:
            raise FetchError("truncated file", f"{url}: has only {plural(len(content), 'byte')}")
        return content[slice(*span)] if span else content

    def _body(self, response: requests.Response, limit: int) -> bytes:
        """The body; more than `limit` bytes, or a very slow response, is a failure."""
        chunks, received, began_s = [], 0, time.monotonic()
        # read1 returns what has arrived, so that the time is looked at however slowly it comes
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            chunks.append(chunk)
            received += len(chunk)
            with self._lock:
                self.fetched_bytes += len(chunk)
            if received > limit:
                raise _TryAgainError("more bytes received than announced")
            if time.monotonic() - began_s > self._timeout_s + received / MIN_BYTES_PER_S:
                raise _TryAgainError("the server is too slow")
        return b"".join(chunks)


def _content_length(response: requests.Response) -> int | None:
    """The announced number of bytes, None if there is none or it is no number of a sensible length."""
    length = response.headers.get("Content-Length", "")
    return int(length) if _NUMBER.fullmatch(length) else None


def _check_status(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in (404, 410) or (status == 403 and _FROM_S3 in response.headers):
        raise FileNotFoundError(url)
    if status == 416:
        raise FetchError("truncated file", f"{url}: ends before the samples that its header lists")
    if status in (401, 403):
        raise AccessRefusedError("HTTP error", f"{url}: {status}")
    if status in (408, 429) or status >= 500:
        raise _TryAgainError(f"HTTP {status}", _seconds_to_wait(response.headers.get("Retry-After", "")))
    raise FetchError("HTTP error", f"{url}: {status}")


def _seconds_to_wait(retry_after: str) -> float:
    """The wait of a Retry-After header, which is seconds or a date; at most `MAX_PAUSE_S`."""
    if _NUMBER.fullmatch(retry_after.strip()):
        return min(float(retry_after), MAX_PAUSE_S)
    try:
        return min(max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time()), MAX_PAUSE_S)
    except (TypeError, ValueError):
        return 0.0
