import time

from kalemia.sources.remote import fetch_progress
from kalemia.sources.remote.fetch_progress import record_progress


def test_progress_reports_draws_megabytes_and_the_time_left(tmp_path):
    path = tmp_path / "cache/tally"
    assert record_progress(path, 1, 4, 1_500_000, 100, 1000.0) == "excerpts: 4 of 100 draws done, 1.5 MB fetched"
    line = record_progress(path, 2, 16, 500_000, 100, 1120.0)
    assert line == "excerpts: 20 of 100 draws done, 2.0 MB fetched, about 10 min left"


def test_a_subject_that_is_done_again_counts_once(tmp_path):
    for _ in range(3):
        line = record_progress(tmp_path / "tally", 1, 4, 100_000, 10, 50.0)
    assert line == "excerpts: 4 of 10 draws done, 0.3 MB fetched"


def test_a_damaged_line_is_ignored(tmp_path):
    record_progress(tmp_path / "tally", 1, 4, 100_000, 10, 50.0)
    with (tmp_path / "tally").open("ab") as file:
        file.write(b".2\n\x00\x00\xff7 1\n3 2 100\n")
    assert record_progress(tmp_path / "tally", 2, 2, 100_000, 10, 80.0).startswith(
        "excerpts: 6 of 10 draws done, 0.2 MB fetched"
    )


def _received(steps):
    """A count of bytes that grows each time it is asked."""
    counts = iter([0, *steps])
    return lambda: next(counts, steps[-1])


def test_bytes_are_told_in_lines_with_rate_and_time_left(monkeypatch, capsys):
    monkeypatch.setattr(fetch_progress, "PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr(fetch_progress, "_LOOK_EVERY_S", 0.001)
    with fetch_progress.watch_bytes("ECG", 3_000_000, _received([1_000_000, 2_000_000])):
        time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("ECG: 1.0 of 3.0 MB, ")
    assert all("kB/s, about 0 min left" in line for line in lines)
    assert fetch_progress.describe_progress(9_000_000, 75_000_000, 60.0) == (
        "9.0 of 75.0 MB, 150 kB/s, about 7 min left"
    )


def test_on_a_terminal_bytes_are_a_bar_that_is_wiped_at_the_end(monkeypatch, capsys):
    monkeypatch.setattr(fetch_progress, "shows_bars", lambda: True)
    monkeypatch.setattr(fetch_progress, "_LOOK_EVERY_S", 0.001)
    with fetch_progress.watch_bytes("ECG", 3_000_000, _received([1_000_000, 2_000_000])):
        time.sleep(0.3)
    said = capsys.readouterr().err
    assert "2.00M/3.00M" in said
    assert "B/s]" in said
    assert said.split("\r")[-2].strip() == ""
