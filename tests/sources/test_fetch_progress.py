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
