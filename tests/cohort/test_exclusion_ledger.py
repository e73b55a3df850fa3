from datetime import datetime

from kalemia.cohort.exclusion_ledger import write_ledger, write_ledger_csv
from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.tables import read_table, table_from_rows, write_table


def test_every_unusable_recording_and_draw_has_a_row(tmp_path):
    draws = [
        {"subject_id": s, "draw_id": d, "draw_time": datetime(2150, 1, d), "reason": reason, "recording": recording}
        for s, d, reason, recording in [
            (2, 1, "no recording", None),
            (1, 2, None, "a"),
            (1, 3, None, "a"),
            (1, 4, None, "b"),
            (2, 5, "too few minutes recorded", None),
        ]
    ]
    draws[-1]["detail"] = "d: has only 3.0 of the 5 minutes needed in the 10 minutes before the draw"
    write_table(tmp_path / "d.parquet", "draws", table_from_rows("draws", draws))
    unreadable = [{"subject_id": 1, "recording": "c", "reason": "no header", "detail": "c"}]
    write_table(tmp_path / "u.parquet", "ledger", table_from_rows("ledger", unreadable))
    excerpts = [{"draw_id": 2, "reason": "HTTP error", "detail": "x.dat: HTTP 500"}, {"draw_id": 3}, {"draw_id": 4}]
    write_table(tmp_path / "e.parquet", "excerpts", table_from_rows("excerpts", excerpts))
    quality = [{"draw_id": 2, "reason": "HTTP error"}, {"draw_id": 3, "reason": "too few good beats"}, {"draw_id": 4}]
    write_table(tmp_path / "q.parquet", "quality", table_from_rows("quality", quality))
    write_ledger(
        tmp_path / "d.parquet", tmp_path / "u.parquet", [tmp_path / "e.parquet"], [tmp_path / "q.parquet"],
        tmp_path / "l.parquet",
    )  # fmt: skip
    rows = [tuple(row.values()) for row in read_table(tmp_path / "l.parquet", "ledger").to_pylist()]
    assert rows == [
        (1, None, "c", "no header", "c"),
        (1, 2, "a", "HTTP error", "x.dat: HTTP 500"),
        (1, 3, "a", "too few good beats", None),
        (2, 1, None, "no recording", None),
        (2, 5, None, "too few minutes recorded", draws[-1]["detail"]),
    ]
    ledger = read_table(tmp_path / "l.parquet", "ledger")
    write_ledger_csv(tmp_path / "l.csv", ledger, SubjectNames({"p000001": "HN-1"}))
    assert (tmp_path / "l.csv").read_text().splitlines() == [
        "subject,draw_id,recording,reason,detail",
        "HN-1,,c,no header,c",
        "HN-1,2,a,HTTP error,x.dat: HTTP 500",
        "HN-1,3,a,too few good beats,",
        "p000002,1,,no recording,",
        f"p000002,5,,too few minutes recorded,{draws[-1]['detail']}",
    ]
