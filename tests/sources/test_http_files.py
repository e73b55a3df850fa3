import time

import pytest

from kalemia.core.errors import UserError
from kalemia.sources.remote.http_files import AccessRefusedError, FetchError, Web
from web_server import HALF, NO_LENGTH, RESET, STALL, WRONG_RANGE, answering, serving

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def site(tmp_path):
    (tmp_path / "file.dat").write_bytes(CONTENT)
    with serving(tmp_path) as site:
        yield site


def _web(site, attempts=4, timeout_s=0.5, **settings):
    return Web(site.url, attempts, timeout_s, pause_s=0.01, **settings)


def test_a_range_is_those_bytes_and_no_others_are_sent(site):
    assert _web(site).span("file.dat", 1000, 1700) == CONTENT[1000:1700]
    assert site.requests == [("/file.dat", "bytes=1000-1699", 700)]


@pytest.mark.parametrize("fault", [500, 503, 429, 408, HALF, RESET, STALL, WRONG_RANGE])
def test_a_temporary_fault_is_retried(site, fault):
    site.faults["file.dat"] = [fault, fault]
    assert _web(site).span("file.dat", 1000, 1700) == CONTENT[1000:1700]
    assert len(site.requests) == 3


@pytest.mark.parametrize("fault", [500, HALF, RESET, STALL, WRONG_RANGE])
def test_a_permanent_fault_is_an_http_error_and_never_data(site, fault):
    site.faults["file.dat"], site.forever = [fault], True
    with pytest.raises(FetchError) as caught:
        _web(site, attempts=2).span("file.dat", 1000, 1700)
    assert caught.value.reason == "HTTP error"
    assert len(site.requests) == 2


@pytest.mark.parametrize("fault", [None, HALF])
def test_a_body_that_the_server_compresses_is_whole(site, fault):
    site.gzipped, site.faults["file.dat"] = (".dat",), [fault]
    assert _web(site).whole("file.dat") == CONTENT
    assert len(site.requests) == (2 if fault else 1)


@pytest.mark.parametrize("fault", [HALF, NO_LENGTH])
def test_a_file_of_unknown_size_is_refused(site, fault):
    site.faults["file.dat"], site.forever = [fault], True
    with pytest.raises(FetchError, match="HTTP error"):
        _web(site, attempts=2).whole("file.dat")


def test_a_missing_file_is_requested_once(site):
    with pytest.raises(FileNotFoundError):
        _web(site).whole("other.dat")
    assert len(site.requests) == 1


def test_a_file_that_an_open_bucket_lacks_is_missing_and_not_refused(site):
    site.is_s3 = True
    with pytest.raises(FileNotFoundError):
        _web(site).whole("other.dat")


def test_a_refused_request_is_not_repeated(site):
    site.faults["file.dat"] = [403]
    with pytest.raises(AccessRefusedError):
        _web(site).whole("file.dat")
    assert len(site.requests) == 1


@pytest.mark.parametrize("span", [(10_000, 10_300), (20_000, 20_100)])
def test_a_file_that_ends_too_early_is_truncated(site, span):
    for site.has_ranges in (True, False):
        with pytest.raises(FetchError) as caught:
            _web(site).span("file.dat", *span)
        assert caught.value.reason == "truncated file"


def test_a_server_without_ranges_serves_a_small_file(site):
    site.has_ranges = False
    assert _web(site).span("file.dat", 1000, 1700) == CONTENT[1000:1700]


def test_a_large_file_is_not_fetched_whole_from_a_server_without_ranges(site, monkeypatch):
    monkeypatch.setattr("kalemia.sources.remote.http_files.MAX_WHOLE_BYTES", 5000)
    site.has_ranges = False
    web = _web(site)
    with pytest.raises(FetchError, match="supports no byte ranges"):
        web.span("file.dat", 1000, 1700)
    assert web.fetched_bytes == 0


def test_retry_after_is_obeyed(site):
    site.faults["file.dat"], site.retry_after = [503], "1"
    _web(site).whole("file.dat")
    assert site.times[1] - site.times[0] >= 1


def test_the_pauses_between_attempts_grow(site, monkeypatch):
    pauses = []
    monkeypatch.setattr("kalemia.sources.remote.http_files.time.sleep", pauses.append)
    site.faults["file.dat"] = [500] * 4
    Web(site.url, 5, 1.0, pause_s=1.0).whole("file.dat")
    waited = [pause for pause in pauses if pause]  # the server sleeps for 0 s at each request
    assert [2**i <= pause <= 1.5 * 2**i for i, pause in enumerate(waited)] == [True] * 4


def test_an_unreachable_server_ends_the_run_with_one_line(tmp_path):
    with serving(tmp_path) as site:
        pass
    with pytest.raises(UserError, match="does not answer"):
        _web(site, attempts=2).whole("file.dat")


def test_a_command_says_whom_it_asks_and_what_fails_before_the_first_answer(capsys):
    answers = [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b""]
    with answering(lambda connection: connection.sendall(answers.pop(0))) as url:
        web = Web(url, 2, 0.5, pause_s=0.01)
        assert web.whole("file.dat") == b"abc"
        told = capsys.readouterr().err
        assert told == f"asking {url}\nfile.dat: ConnectionError (attempt 1 of 2)\n"
        answers += [b""]
        with pytest.raises(FetchError):
            web.whole("file.dat")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("is_job", "n_pauses", "said"), [(False, 0, "asking {}\n"), (True, 4, "")])
def test_a_job_tries_again_where_a_command_need_not(tmp_path, monkeypatch, capsys, is_job, n_pauses, said):
    with serving(tmp_path) as site:
        pass
    pauses = []
    monkeypatch.setattr("kalemia.core.jobs._is_job", is_job)
    monkeypatch.setattr("kalemia.sources.remote.http_files.time.sleep", pauses.append)
    with pytest.raises(UserError, match="does not answer"):
        _web(site, attempts=5).whole("file.dat")
    assert len(pauses) == n_pauses
    assert capsys.readouterr().err == said.format(site.url)


def test_an_outage_ends_the_run_instead_of_excluding_all_draws(site):
    site.faults[""], site.forever = [500], True
    web = _web(site, attempts=1)
    for _ in range(7):
        with pytest.raises(FetchError):
            web.whole("file.dat")
    with pytest.raises(UserError, match="does not answer"):
        web.whole("file.dat")


@pytest.mark.parametrize("fault", [500, 403, 400])
def test_a_failure_ends_the_run_if_the_landmark_cannot_be_fetched_either(site, tmp_path, fault):
    (tmp_path / "RECORDS").write_text("all of them\n")
    site.faults[""], site.forever = [fault], True
    with pytest.raises(UserError, match="does not answer"):
        _web(site, attempts=1, landmark="RECORDS").whole("file.dat")


@pytest.mark.parametrize("fault", [500, 403, 400])
def test_a_failure_is_the_fault_of_the_file_while_the_landmark_can_be_fetched(site, tmp_path, fault):
    (tmp_path / "RECORDS").write_text("all of them\n")
    site.faults["file.dat"], site.forever = [fault], True
    with pytest.raises(FetchError):
        _web(site, attempts=1, landmark="RECORDS").whole("file.dat")


def test_repeated_refusals_are_an_outage(site):
    site.faults[""], site.forever = [403], True
    web = _web(site)
    for _ in range(7):
        with pytest.raises(AccessRefusedError):
            web.whole("file.dat")
    with pytest.raises(UserError, match="does not answer"):
        web.whole("file.dat")


def test_the_client_sends_its_name(site):
    _web(site).whole("file.dat")
    (agent,) = site.agents
    assert agent.startswith("Kalemia/")


def _failure(answer, fetch=lambda web: web.whole("file"), **settings):
    """How fetching from a server that answers so ends, and after how many seconds."""
    with answering(answer) as url:
        began_s = time.monotonic()
        with pytest.raises((FetchError, UserError)) as caught:
            fetch(Web(url, 2, 0.5, pause_s=0.01, **settings))
        return str(caught.value), time.monotonic() - began_s


def _trickle(connection, content, every_s=0.05):
    for i in range(len(content)):
        connection.sendall(content[i : i + 1])
        time.sleep(every_s)


def test_headers_that_trickle_have_a_total_time():
    said, took_s = _failure(lambda connection: _trickle(connection, b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100))
    assert said.startswith("HTTP error: file: ")
    assert took_s < 5  # a byte every 0.05 s for 46 s, where a wait of 0.5 s is allowed


@pytest.mark.parametrize("head", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_given_up(head):
    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        _trickle(connection, b"1\r\na\r\n" * 200)

    said, took_s = _failure(answer)
    assert "the server is too slow" in said
    assert took_s < 5


def test_five_kilobytes_a_second_are_no_outage():
    """PhysioNet's server has been measured at 11 kB/s."""

    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        for _ in range(40):
            connection.sendall(bytes(100))
            time.sleep(0.02)

    with answering(answer) as url:
        assert Web(url, 1, 0.25).whole("file") == bytes(4000)


@pytest.mark.parametrize("length", ["\u00b2\u00b3", "9" * 5000, "-5", "1e3"])
def test_a_length_that_is_no_number_is_no_length(length):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc".encode("latin-1", "replace")
    assert _failure(lambda connection: connection.sendall(head))[0].startswith("HTTP error: file: ")


@pytest.mark.parametrize("wait", ["\u00b2", "9" * 5000, "soon", "-1"])
def test_a_retry_after_that_is_no_wait_is_ignored(wait):
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n".encode("latin-1", "replace")
    said, took_s = _failure(lambda connection: connection.sendall(head))
    assert "HTTP 503" in said
    assert took_s < 5


def test_a_huge_file_in_place_of_a_list_is_refused_before_it_is_read():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4900000000\r\n\r\n"

    def answer(connection):
        connection.sendall(head + bytes(1 << 20))
        time.sleep(1)

    assert "is too large to fetch whole (4,900,000,000 bytes)" in _failure(answer)[0]
