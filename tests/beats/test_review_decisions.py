from dataclasses import replace

import pytest

from excerpt_rows import excerpt
from kalemia.beats.review_candidates import closest_to_threshold
from kalemia.beats.review_decisions import ReviewDecision, read_review_decisions
from kalemia.beats.segment_beats import BeatSettings, write_beats
from kalemia.core.errors import UserError
from kalemia.core.tables import table_from_rows, write_table
from kalemia.report.review_page import write_review

HEAD = "subject_id,draw_id,decision,reviewer,note\n"


def _csv(tmp_path, text):
    path = tmp_path / "decisions.csv"
    path.write_text(text)
    return path


def test_no_file_no_decisions():
    assert read_review_decisions(None) == {}


def test_decisions_are_read_by_subject(tmp_path):
    path = _csv(tmp_path, HEAD + '7,1,accept,AB,\n8,2,reject,AB,\n7,3,reject,CD,"noise, mostly"\n')
    decisions = {1: ReviewDecision("accept", "AB", ""), 3: ReviewDecision("reject", "CD", "noise, mostly")}
    assert read_review_decisions(path)[7] == decisions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "7,1,maybe,AB,\n", "line 2: decision 'maybe' is neither"),
        (HEAD + "7,1,accept,,\n", "line 2: has no reviewer"),
        (HEAD + ",1,accept,AB,\n", "line 2: has no subject_id or no draw_id"),
        (HEAD + "7,1,accept,AB,\n7,1,reject,AB,\n", "line 3: draw 1 has a second decision"),
        ("draw_id,decision\n1,accept\n", "needs the columns"),
        ("", "needs the columns"),
    ],
)
def test_invalid_file_raises_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read_review_decisions(_csv(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_missing_file_raises(tmp_path):
    with pytest.raises(UserError, match="needs the columns"):
        read_review_decisions(tmp_path / "none.csv")


def _row(draw_id, **other):
    row = {"draw_id": draw_id, "n_r_peaks": 700, "n_good": 650, "irregularity": -2.0}
    return row | {"ectopic_share": 0.01, "pacing_click": 0.0} | other


def test_excerpt_on_a_threshold_comes_first(study):
    rows = [
        _row(1),
        _row(2, irregularity=-1.1),
        _row(3, n_good=211),
        _row(4, n_r_peaks=0, n_good=0, irregularity=None),
        _row(5, irregularity=None, pacing_click=0.03),
    ]
    shown = closest_to_threshold(rows, 3, study.quality, study.rhythm, study.beats)
    assert [row["draw_id"] for row in shown] == [3, 2, 5]
    assert len(closest_to_threshold(rows, 9, study.quality, study.rhythm, study.beats)) == 4


def test_page_shows_strips_marks_and_verdicts(tmp_path, study):
    settings = BeatSettings.from_study(study)
    quiet = {"ecg_mv": None, "reason": "no lead"}
    write_table(tmp_path / "p000007.parquet", "excerpts", table_from_rows("excerpts", [excerpt(1), excerpt(2) | quiet]))
    said = {1: ReviewDecision("reject", "AB", "")}
    write_beats(tmp_path / "p000007.parquet", settings, said, "", tmp_path / "b.parquet", tmp_path / "q.parquet")
    write_review([tmp_path / "q.parquet"], tmp_path, study, tmp_path / "review.html")
    page = (tmp_path / "review.html").read_text()
    assert page.count("<polyline") == 1
    assert page.count("<circle") in (12, 13)
    assert "p000007, draw 1:" in page
    assert "(review: reject)" in page
    assert "1 rejected" in page
    assert "Simulated patients" in page
    assert "fit no draw" not in page


def test_page_lists_decisions_without_a_draw(tmp_path, study):
    decisions = _csv(tmp_path, HEAD + "7,1,reject,AB,\n7,11,reject,AB,\n8,1,accept,AB,\n")
    study = replace(study, review=replace(study.review, decisions=str(decisions)))
    write_table(tmp_path / "p000007.parquet", "excerpts", table_from_rows("excerpts", [excerpt(1)]))
    said = read_review_decisions(decisions)[7]
    settings = BeatSettings.from_study(study)
    write_beats(tmp_path / "p000007.parquet", settings, said, "", tmp_path / "b.parquet", tmp_path / "q.parquet")
    write_review([tmp_path / "q.parquet"], tmp_path, study, tmp_path / "review.html")
    page = (tmp_path / "review.html").read_text()
    assert "2 of the decisions match no draw" in page
    assert "subject 7, draw 11; subject 8, draw 1." in page
