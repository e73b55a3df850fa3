"""A real web server over a folder, for tests: byte ranges, a log of requests, and faults on demand."""

import base64
import gzip
import re
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HALF, RESET, STALL, WRONG_RANGE, NO_LENGTH, PAGE = "half", "reset", "stall", "wrong range", "no length", "page"
STALL_S = 1.5


@dataclass
class Site:
    """What the server does and has done.

    faults: path ending -> what its requests meet in turn, a status or one of the words above; after the last of them
    all is well, and with `forever` the last one stays.
    """

    root: Path
    url: str = ""
    has_ranges: bool = True
    has_head: bool = True
    gzipped: tuple[str, ...] = ()  # endings of paths that are sent with the content encoding gzip, whole
    retry_after: str | None = None
    password: str | None = None
    password_of: str = "/"  # what its path must begin with to need the password
    redirect_to: str | None = None  # the base of the URL that every request is sent on to
    is_s3: bool = False  # says 403 of a file that is not there
    forever: bool = False
    delay_s: float = 0.0
    faults: dict[str, list] = field(default_factory=dict)
    requests: list[tuple[str, str | None, int]] = field(default_factory=list)  # path, range, bytes of the body
    times: list[float] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    authorizations: set[bool] = field(default_factory=set)  # whether requests had credentials
    connections: int = 0  # that are open now
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, path: str):
        for ending, faults in self.faults.items():
            if path.endswith(ending) and faults:
                return faults[0] if self.forever and len(faults) == 1 else faults.pop(0)
        return None

    def body_bytes(self, ending: str = "") -> int:
        return sum(n for path, _, n in self.requests if path.endswith(ending))

    def counts(self) -> Counter:
        return Counter((path, asked) for path, asked, _ in self.requests)

    def wait_until_unused(self) -> None:
        """Until the last request of clients that have ended is answered and in the log."""
        until = time.monotonic() + 60
        while self.connections:
            assert time.monotonic() < until, "a client keeps a connection open"
            time.sleep(0.01)


@contextmanager
def serving(root: Path, **settings):
    """A `Site` whose `url` serves the files below `root`."""
    site = Site(root, **settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            pass

        def handle(self):
            with site.lock:
                site.connections += 1
            try:
                super().handle()
            finally:
                with site.lock:
                    site.connections -= 1

        def do_HEAD(self):
            self._answer(with_body=False)

        def do_GET(self):
            with site.lock:
                site.at_once += 1
                site.most_at_once = max(site.most_at_once, site.at_once)
            time.sleep(site.delay_s)
            try:
                self._answer(with_body=True)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with site.lock:
                    site.at_once -= 1

        def _answer(self, with_body: bool):
            path, asked = self.path, self.headers.get("Range")
            with site.lock:
                fault = site.fault(path) if with_body else None
                site.agents.add(self.headers.get("User-Agent"))
                site.authorizations.add("Authorization" in self.headers)
                site.times.append(time.monotonic())
            if site.password is not None and path.startswith(site.password_of):
                expected = "Basic " + base64.b64encode(site.password.encode()).decode()
                if self.headers.get("Authorization") != expected:
                    return self._status(401)
            if site.redirect_to:
                return self._status(302)
            if not with_body and not site.has_head:
                return self._status(405)
            file = site.root / path.lstrip("/")
            if isinstance(fault, int):
                return self._status(fault)
            if not file.is_file():
                return self._status(403 if site.is_s3 else 404)
            content = file.read_bytes()
            if fault == PAGE:
                content, asked = b"<html>Please sign in</html>", None
            encoding = "gzip" if path.endswith(site.gzipped) else None
            if encoding:
                content, asked = gzip.compress(content), None
            return self._send(content, asked if site.has_ranges else None, fault, with_body, encoding)

        def _status(self, status: int):
            with site.lock:
                site.requests.append((self.path, self.headers.get("Range"), 0))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", site.redirect_to + self.path)
            if site.is_s3:
                self.send_header("x-amz-request-id", "0123456789ABCDEF")
            if site.retry_after is not None and status in (429, 503):
                self.send_header("Retry-After", site.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, content: bytes, asked: str | None, fault, with_body: bool, encoding: str | None):
            total = len(content)
            if asked:
                first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", asked).groups())
                if first >= total:
                    return self._status(416)
                last = min(last, total - 1)
                if fault == WRONG_RANGE:
                    first, last = (first - 1, last - 1) if first else (first + 1, last + 1)
                content = content[first : last + 1]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
            else:
                self.send_response(200)
            if encoding:
                self.send_header("Content-Encoding", encoding)
            if fault == NO_LENGTH:
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(content)))
            sent = content[: len(content) // 2] if fault in (HALF, RESET, STALL) else content
            with site.lock:
                site.requests.append((self.path, asked, len(sent) if with_body else 0))
            self.end_headers()
            if not with_body:
                return None
            self.wfile.write(sent)
            self.wfile.flush()
            if fault == STALL:
                time.sleep(STALL_S)
            if fault == RESET:  # a reset, not a close: nothing lingers
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if fault in (HALF, RESET, STALL):
                self.close_connection = True
                self.connection.close()
            return None

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield site
        finally:
            server.shutdown()


@contextmanager
def answering(answer):
    """The URL of a server that reads a request and leaves the rest to `answer(connection)`; closes after it."""

    def serve(listener: socket.socket):
        with suppress(OSError):  # the listener is closed at the end
            while True:
                connection = listener.accept()[0]
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket):
        with connection, suppress(OSError):  # the client may leave at any time
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += connection.recv(4096)
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
