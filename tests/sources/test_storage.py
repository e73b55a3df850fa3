"""Recordings by HTTP against the same recordings read from a folder."""

import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table
from kalemia.sources.physionet import DATABASE, PhysioNet
from kalemia.sources.remote.http_files import FetchError, Web
from mirror import lab_row, place_s25047, write_record, write_tables
from remote_study import remote, write_study
from web_server import HALF, PAGE, RESET, STALL, WRONG_RANGE, serving

START = datetime(2150, 1, 1)
MINUTE = 60 * 125


def _noise(name: int, minutes: float) -> np.ndarray:
    return np.random.default_rng(name).integers(-90, 90, round(minutes * MINUTE)) / 50


@pytest.fixture
def mirror(tmp_path):
    """Four people with one recording each: of two segments, of one lead too few, of no lead II, and of one segment."""
    root = tmp_path / "mirror"
    parts = {
        10: [({"V": _noise(1, 12), "II": _noise(2, 12)}, 50), ({"II": _noise(3, 20)}, 40)],
        11: [({"II": _noise(4, 14)}, 50), 2 * MINUTE, ({"V": _noise(5, 14), "II": _noise(6, 14)}, 50)],
        12: [({"V": _noise(7, 30)}, 50)],
        13: [({"II": _noise(8, 30)}, 50)],
    }
    for number, (subject, mine) in enumerate(parts.items(), start=3_000_001):
        write_record(root, subject, START, number, mine)
    times = [START + timedelta(minutes=minutes) for minutes in (15, 25)]
    labs = [lab_row(2 * s + i, s, time, 6.0) for s in parts for i, time in enumerate(times)]
    labs.append(lab_row(99, 13, START - timedelta(days=1), 6.0))
    write_tables(tmp_path / "tables", LABEVENTS=labs)
    return root


@pytest.fixture
def undisturbed(mirror, tmp_path):
    """The files of a study that read the folder itself."""
    folder = tmp_path / "undisturbed"
    write_study(PhysioNet(mirror, tmp_path / "tables"), folder)
    return folder


@pytest.fixture
def site(mirror):
    with serving(mirror) as site:
        yield site


def _study_of(site, tmp_path, name="remote", cache="cache", **settings) -> Path:
    write_study(remote(site.url, tmp_path / cache, tmp_path / "tables", **settings), tmp_path / name)
    return tmp_path / name


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def _excerpts(folder: Path, subject: int) -> list[dict]:
    return read_table(folder / f"p{subject:06d}.parquet", "excerpts").to_pylist()


def test_a_study_over_http_gives_the_same_bytes_as_one_of_a_folder(site, undisturbed, tmp_path):
    assert _bytes_of(_study_of(site, tmp_path)) == _bytes_of(undisturbed)
    assert len(_bytes_of(undisturbed)) == 7


def test_only_the_samples_of_the_windows_are_fetched(site, tmp_path):
    _study_of(site, tmp_path)
    ranges = {path.rsplit("/", 1)[1]: asked for path, asked in site.counts() if path.endswith("3000001_0001.dat")}
    assert ranges == {"3000001_0001.dat": f"bytes={2 * 5 * MINUTE}-{2 * 12 * MINUTE - 1}"}
    assert site.body_bytes("3000001_0002.dat") == (3 + 10) * MINUTE
    assert site.body_bytes("3000003_0001.dat") == 0  # its layout has no lead II


def test_only_headers_of_possible_matches_are_read(site, mirror, tmp_path):
    late = START + timedelta(days=400)
    write_record(mirror, 10, late, 3_000_009, [({"II": _noise(9, 12)}, 50)])
    _study_of(site, tmp_path)
    asked = [path for path, _, _ in site.requests]
    assert not [path for path in asked if f"{late:%Y-%m-%d}" in path or "3000009" in path]
    assert not [path for path in asked if path.endswith("3000003_0001.hea")]


def test_nothing_is_fetched_twice(site, tmp_path):
    first = _bytes_of(_study_of(site, tmp_path))
    assert max(Counter((path, asked) for path, asked, n_bytes in site.requests if n_bytes).values()) == 1
    n = len(site.requests)
    assert _bytes_of(_study_of(site, tmp_path, "again")) == first
    assert len(site.requests) == n


def test_a_damaged_piece_of_the_cache_is_fetched_again(site, undisturbed, tmp_path):
    _study_of(site, tmp_path)
    piece = next((tmp_path / "cache").rglob("3000001_0002.samples/*.dat"))
    piece.write_bytes(piece.read_bytes()[:-1] + b"\0")
    n = len(site.requests)
    assert _bytes_of(_study_of(site, tmp_path, "again")) == _bytes_of(undisturbed)
    assert len(site.requests) == n + 1


@pytest.mark.parametrize("fault", [500, HALF, RESET, STALL, WRONG_RANGE, 429])
def test_temporary_faults_leave_no_trace(site, undisturbed, tmp_path, fault):
    for ending in ("3000001_0001.dat", "3000002_0003.dat"):
        site.faults[ending] = [fault, fault]
    assert _bytes_of(_study_of(site, tmp_path)) == _bytes_of(undisturbed)


@pytest.mark.parametrize("fault", [500, HALF, RESET, STALL, WRONG_RANGE])
def test_permanent_faults_are_a_reason_and_never_samples(site, undisturbed, tmp_path, fault):
    site.faults["3000001_0002.dat"], site.forever = [fault], True
    folder = _study_of(site, tmp_path, attempts=2)
    first, second = _excerpts(folder, 10)
    assert (second["reason"], second["ecg_mv"]) == ("HTTP error", None)
    assert "3000001_0002.dat" in second["detail"]
    assert first["reason"] is None
    expected = np.array(_excerpts(undisturbed, 10)[0]["ecg_mv"])
    expected[7 * MINUTE :] = np.nan
    np.testing.assert_array_equal(first["ecg_mv"], expected)
    for name in ("p000011.parquet", "p000013.parquet"):
        assert _bytes_of(folder)[name] == _bytes_of(undisturbed)[name]
    site.forever, site.faults = False, {}
    assert _bytes_of(_study_of(site, tmp_path, "later")) == _bytes_of(undisturbed)


def test_a_missing_segment_does_not_stop_the_run(site, mirror, tmp_path):
    next(mirror.rglob("3000001_0002.dat")).unlink()
    folder = _study_of(site, tmp_path)
    assert [row["reason"] for row in _excerpts(folder, 10)] == [None, "file missing"]
    assert [row["reason"] for row in _excerpts(folder, 13)] == [None, None]


def test_a_segment_that_ends_too_early_is_truncated(site, mirror, tmp_path):
    path = next(mirror.rglob("3000001_0002.dat"))
    path.write_bytes(path.read_bytes()[: 5 * MINUTE])
    for folder in (_study_of(site, tmp_path), tmp_path / "local"):
        if folder.name == "local":
            write_study(PhysioNet(mirror, tmp_path / "tables"), folder)
        assert [row["reason"] for row in _excerpts(folder, 10)] == [None, "truncated file"]


def test_a_server_without_byte_ranges_gives_the_same_samples(site, undisturbed, tmp_path):
    site.has_ranges = False
    assert _bytes_of(_study_of(site, tmp_path)) == _bytes_of(undisturbed)


def test_a_web_page_instead_of_a_header_is_not_kept(site, undisturbed, tmp_path):
    site.faults["2150-01-01-00-00.hea"] = [PAGE]
    folder = _study_of(site, tmp_path, connections=1)
    (row,) = read_table(folder / "unreadable.parquet", "ledger").to_pylist()
    assert row["reason"] == "unreadable header"
    assert _bytes_of(_study_of(site, tmp_path, "later")) == _bytes_of(undisturbed)


def test_a_web_page_instead_of_the_list_of_recordings_is_not_kept(site, undisturbed, tmp_path):
    site.faults["RECORDS-waveforms"] = [PAGE]
    with pytest.raises(UserError, match="line 1: '<html>Please sign in</html>' is not the name of a recording"):
        _study_of(site, tmp_path)
    assert _bytes_of(_study_of(site, tmp_path)) == _bytes_of(undisturbed)
    list_of_recordings = next((tmp_path).rglob("RECORDS-waveforms"))
    list_of_recordings.write_text("<html>Please sign in</html>")  # as an earlier version kept it
    assert _bytes_of(_study_of(site, tmp_path)) == _bytes_of(undisturbed)


def test_a_header_that_cannot_be_fetched_is_in_the_ledger(site, tmp_path):
    site.faults["p000013-2150-01-01-00-00.hea"], site.forever = [500], True
    folder = _study_of(site, tmp_path, attempts=2)
    (row,) = read_table(folder / "unreadable.parquet", "ledger").to_pylist()
    assert (row["subject_id"], row["draw_id"], row["reason"]) == (13, None, "header not fetched")
    reasons = {row["draw_id"]: row["reason"] for row in read_table(folder / "draws.parquet", "draws").to_pylist()}
    assert reasons[26] == reasons[27] == "header not fetched"


@pytest.mark.parametrize(("connections", "most"), [(1, 1), (3, 3)])
def test_no_more_connections_are_open_than_asked_for(site, tmp_path, connections, most):
    site.delay_s = 0.05
    _study_of(site, tmp_path, connections=connections)
    assert site.most_at_once == most


def test_a_name_of_the_server_s_list_that_leaves_the_folder_is_refused(site, mirror, tmp_path):
    path = mirror / DATABASE / "RECORDS-waveforms"
    good = path.read_text()
    for line in ("../../../etc/passwd", "/etc/passwd", "p00/p000010/p000010-2150-01-01-00-00%2f..", "C:\\x", "a\0b"):
        path.write_text(good + line + "\n")
        with pytest.raises(UserError, match=r"line 5: .* is not the name of a recording"):
            _study_of(site, tmp_path, cache=f"cache {hash(line)}")


@pytest.mark.parametrize("segment", ["../3000001_0001", "/etc/passwd", "3000001_0001/..", "x"])
def test_a_segment_s_name_that_leaves_the_folder_is_refused(site, mirror, tmp_path, segment):
    path = next(mirror.rglob("p000010-2150-01-01-00-00.hea"))
    path.write_text(path.read_text().replace("3000001_0002", segment))
    folder = _study_of(site, tmp_path)
    (row,) = read_table(folder / "unreadable.parquet", "ledger").to_pylist()
    assert (row["recording"][:11], row["reason"]) == ("p00/p000010", "unreadable header")


def test_a_sample_file_s_name_that_leaves_the_folder_is_refused(site, mirror, tmp_path):
    path = next(mirror.rglob("3000001_0002.hea"))
    path.write_text(path.read_text().replace("3000001_0002.dat", "../../3000001_0002.dat"))
    assert [row["reason"] for row in _excerpts(_study_of(site, tmp_path), 10)][1] in (
        "unreadable header",
        "unreadable file",
    )
    assert not [path for path, _, _ in site.requests if ".." in path]


def test_a_segment_whose_header_disagrees_is_not_read(site, mirror, tmp_path):
    path = next(mirror.rglob("3000001_0002.hea"))
    path.write_text(path.read_text().replace(" 125 ", " 250 "))
    folder = _study_of(site, tmp_path)
    assert [row["reason"] for row in _excerpts(folder, 10)] == [None, "header disagrees"]


@pytest.mark.slow
def test_a_killed_run_resumes_and_gives_the_same_bytes(site, undisturbed, tmp_path):
    site.delay_s = 0.1
    arguments = [site.url, tmp_path / "cache", tmp_path / "tables", tmp_path / "remote"]
    command = [sys.executable, ROOT / "tests/remote_study.py", *arguments]
    for stop_at in (3, 8):
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
        while len(site.requests) < stop_at and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None
        process.kill()
        process.wait()
    assert subprocess.run(list(map(str, command)), check=False).returncode == 0
    assert _bytes_of(tmp_path / "remote") == _bytes_of(undisturbed)
    bodies = Counter((path, asked) for path, asked, n in site.requests if n)  # and not questions for a size
    assert bodies.total() - len(bodies) <= 2 * 2  # what was under way at each kill, on two connections


@pytest.mark.realdata
def test_ten_minutes_of_a_real_record_cost_no_more_than_they_must(tmp_path, real_data):
    name = place_s25047(tmp_path, real_data)
    local = PhysioNet(tmp_path)
    recording = local.recording(name)
    for start in range(0, recording.n_samples - 75_000, 33_333):
        window = (start, start + 75_000)
        with serving(tmp_path) as site:
            source = remote(site.url, tmp_path / f"cache{start}")
            far, near = (one.read_lead(one.recording(name), "II", *window) for one in (source, local))
            fetched = site.body_bytes(".dat")
        np.testing.assert_array_equal(far.ecg_mv, near.ecg_mv)
        assert (far.segments, far.faults, far.problems) == (near.segments, near.faults, near.problems)
        leads = {segment.name: 3 if segment.name[-2:] in ("17", "18") else 2 for segment in near.segments}
        least = sum((segment.stop - segment.start) * leads[segment.name] for segment in near.segments)
        assert least <= fetched <= 1.1 * least


def test_a_server_that_answers_no_head_still_gives_the_list(site, undisturbed, tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise FetchError("HTTP error", "405")

    monkeypatch.setattr(Web, "size", refuse)
    assert _bytes_of(_study_of(site, tmp_path)) == _bytes_of(undisturbed)
    assert "1 list of recordings, of a size that the server does not say" in capsys.readouterr().out
