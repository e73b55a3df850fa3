import re
from dataclasses import replace

import numpy as np
import pytest

from excerpt_rows import excerpt
from kalemia.beats.review_candidates import choose_for_review, closest_to_threshold, deciding_threshold
from kalemia.beats.review_decisions import ReviewDecision, explain_ineffective, read_review_decisions
from kalemia.beats.segment_beats import BeatSettings, write_beats
from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.errors import UserError
from kalemia.core.tables import table_from_rows, write_table
from kalemia.ecg.assess_excerpt import assess_excerpt
from kalemia.report.review_page import decision_line, describe_threshold, ecg_strip, write_review
from report_pages import Page

HEAD = "subject_id,draw_id,decision,reviewer,note\n"
MARKED = "subject_id,draw_id,decision,reviewer,note,marks_s\n"
MINUTES = 10.0


def _csv(tmp_path, text):
    path = tmp_path / "decisions.csv"
    path.write_text(text)
    return path


def test_no_file_no_decisions():
    assert read_review_decisions(None, MINUTES) == {}


def test_decisions_are_read_by_subject(tmp_path):
    path = _csv(tmp_path, HEAD + '7,1,accept,AB,\n8,2,reject,AB,\n7,3,reject,CD,"noise, mostly"\n')
    decisions = {1: ReviewDecision("accept", "AB", ""), 3: ReviewDecision("reject", "CD", "noise, mostly")}
    assert read_review_decisions(path, MINUTES)[7] == decisions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "7,1,maybe,AB,\n", "line 2: decision 'maybe' is neither"),
        (HEAD + "7,1,accept,,\n", "line 2: has no reviewer"),
        (HEAD + ",1,accept,AB,\n", "line 2: has no subject_id or no draw_id"),
        (HEAD + "7,1,accept,AB,\n7,1,reject,AB,\n", "line 3: draw 1 has a second decision"),
        ("draw_id,decision\n1,accept\n", "needs the columns"),
        ("", "needs the columns"),
        (MARKED + "7,1,accept,AB,,0.5 1.5 2.5 soon\n", "line 2: marks_s: 'soon' is not a number of seconds"),
        (MARKED + "7,1,accept,AB,,1 2 3 4 600\n", "line 2: marks_s: 600 is outside the excerpt, which has 600 s"),
        (MARKED + "7,1,accept,AB,,-1 2 3 4 5\n", "line 2: marks_s: -1 is outside"),
        (MARKED + "7,1,accept,AB,,nan 2 3 4 5\n", "line 2: marks_s: nan is outside"),
        (MARKED + "7,1,accept,AB,,1 2 2 3 4\n", "line 2: marks_s: 2 comes after 2; write them in ascending order"),
        (MARKED + "7,1,accept,AB,,1 2 3 4\n", "line 2: marks_s: 4 are too few; mark at least 5 beats"),
        (MARKED + "7,1,reject,AB,,1 2 3 4 5\n", "line 2: marks_s: only an accepted draw can have marks"),
        (HEAD + "7,1,accept,AB,,1 2 3 4 5\n", "line 2: has more fields than the first line"),
        ("draw_id,decision\n", "needs the columns .*, and may have marks_s"),
        (HEAD + '7,1,accept,AB,"noise\n8,1,accept,AB,\n', "line 2: begins a record that does not end"),
        (HEAD + "7,-1,accept,AB,\n", "line 2: draw_id '-1' is not a whole number"),
    ],
)
def test_invalid_file_raises_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read_review_decisions(_csv(tmp_path, text), MINUTES)
    assert "\n" not in str(caught.value)


def test_missing_file_raises(tmp_path):
    with pytest.raises(UserError, match="needs the columns"):
        read_review_decisions(tmp_path / "none.csv", MINUTES)


def test_marks_are_seconds_and_may_be_missing(tmp_path):
    path = _csv(tmp_path, MARKED + "7,1,accept,AB,,300.52 301 301.75 302.5 303.25\n7,2,accept,AB,,\n")
    marks = [decision.marks_s for decision in read_review_decisions(path, MINUTES)[7].values()]
    assert marks == [(300.52, 301, 301.75, 302.5, 303.25), ()]


def _row(draw_id, **other):
    row = {"subject_id": 7, "draw_id": draw_id, "label": 0, "value": 4.2, "recorded_s": 600.0}
    row |= dict.fromkeys(("reason", "reason_before_review"), other.get("reason"))
    row |= {"n_r_peaks": 700, "n_good": 650, "irregularity": -2.0}
    return row | {"ectopic_share": 0.01, "pacing_click": 0.0} | other


def test_excerpt_on_a_threshold_comes_first(study):
    rows = [
        _row(1),
        _row(2, irregularity=-1.1),
        _row(3, n_good=211),
        _row(4, n_r_peaks=0, n_good=0, irregularity=None),
        _row(5, irregularity=None, pacing_click=1.5 * study.rhythm.max_pacing_spike_ratio),
    ]
    shown = closest_to_threshold(rows, study.quality, study.rhythm, study.beats)
    assert [row["draw_id"] for row in shown[:3]] == [3, 2, 5]
    assert len(shown) == 4


def test_the_threshold_of_the_reason_comes_before_the_closest(study):
    rules = study.quality, study.rhythm, study.beats
    assert deciding_threshold(_row(1, irregularity=-1.1), *rules).name == "irregularity"
    excluded = _row(1, irregularity=-1.1, n_good=0, reason="too few good beats")
    assert describe_threshold(deciding_threshold(excluded, *rules)) == (
        "Threshold: good beats 0, limit 210 (210 below)."
    )
    nothing = _row(1, n_r_peaks=0, n_good=0, irregularity=None)
    assert deciding_threshold(nothing, *rules) is None
    assert describe_threshold(None) == "No threshold applies: no R peak was found."


def test_a_decision_is_written_as_it_is_read(tmp_path):
    decision = ReviewDecision("accept", "A, B", 'T "taller" than R', (1.5, 2.25, 3.0, 4.0, 5.0))
    line = decision_line(SubjectNames(), 7, 12, decision)
    assert read_review_decisions(_csv(tmp_path, f"{MARKED}{line}\n"), MINUTES) == {7: {12: decision}}


def test_of_excerpts_as_close_a_lost_positive_draw_comes_first(study):
    rows = [_row(1), _row(2, label=1), _row(3, label=1, reason="too few good beats")]
    shown = closest_to_threshold(rows, study.quality, study.rhythm, study.beats)
    assert [row["draw_id"] for row in shown] == [3, 1, 2]


def test_excerpts_without_a_good_beat_are_offered_the_highest_positive_ones_first(study):
    lost = {"n_good": 0, "reason": "too few good beats"}
    rows = [
        _row(1, **lost),
        _row(2, **lost, label=1, value=6.1),
        _row(3, **lost, label=1, value=8.4, n_r_peaks=0, irregularity=None),
        _row(4, label=None, value=5.2, n_good=99, reason="too few good beats"),  # of 210
        _row(5, **lost, label=1, value=9.0, recorded_s=0.0),
        *(_row(draw) for draw in range(10, 20)),
    ]

    def chosen(n):
        parts = choose_for_review(rows, n, study.quality, study.rhythm, study.beats)
        return [[row["draw_id"] for row in part] for part in parts]

    assert chosen(20) == [[3, 2, 4, 1], list(range(10, 20))]
    assert chosen(4) == [[3, 2], [10, 11]]
    assert chosen(1) == [[3], []]
    assert chosen(12) == [[3, 2, 4, 1], list(range(10, 18))]
    rows = rows[:4]
    assert chosen(3) == [[3, 2, 4], []]


def test_each_decision_without_effect_is_one_line():
    accept = ReviewDecision("accept", "AB", "")
    rows = [_row(1, reason="no lead", recorded_s=0.0), _row(2, reason="too few R peaks"), _row(3)]
    assert explain_ineffective({7: dict.fromkeys((1, 2, 3, 4), accept)}, rows, SubjectNames()) == [
        "subject 7, draw 1: cannot be accepted, because it has no ECG (no lead)",
        "subject 7, draw 2: cannot be accepted, because fewer than 5 of its marks have a whole beat around them"
        " (too few R peaks)",
        "subject 7, draw 4: the study reads no ECG for such a draw",
    ]
    assert explain_ineffective({7: {1: ReviewDecision("reject", "AB", "")}}, rows, SubjectNames()) == []


def test_a_strip_shows_no_line_where_nothing_was_recorded(study):
    row = excerpt(1)
    ecg_mv = np.array(row["ecg_mv"], np.float32)
    middle = len(ecg_mv) // 2
    ecg_mv[middle - 60 : middle + 60] = np.nan
    settings = BeatSettings.from_study(study)
    strip = ecg_strip(assess_excerpt(ecg_mv, settings.ecg, settings.quality, settings.rhythm, settings.beats))
    assert len(strip["lines"]) == 2
    ends = [[float(point.split(",")[0]) for point in line.split()] for line in strip["lines"]]
    assert ends[1][0] - ends[0][-1] > 100


def test_page_shows_strips_marks_and_verdicts(tmp_path, study):
    settings = BeatSettings.from_study(study)
    quiet = {"ecg_mv": None, "reason": "no lead"}
    write_table(tmp_path / "p000007.parquet", "excerpts", table_from_rows("excerpts", [excerpt(1), excerpt(2) | quiet]))
    said = {1: ReviewDecision("reject", "AB", "")}
    write_beats(tmp_path / "p000007.parquet", settings, said, "", tmp_path / "b.parquet", tmp_path / "q.parquet")
    write_review([tmp_path / "q.parquet"], tmp_path, SubjectNames(), study, tmp_path / "review.html")
    page = (tmp_path / "review.html").read_text()
    assert page.count("<polyline") == 1
    assert page.count("<circle") in (12, 13)
    assert "p000007, draw 1 : positive, potassium 6.0 mEq/L ;" in Page(tmp_path / "review.html").words
    assert "Threshold: good beats" in page
    assert "(review: reject)" in page
    assert "1 rejected" in page
    assert "Simulated patients" in page
    assert "Without effect" not in page
    assert '<code id="line-1">7,1,,,,</code>' in page


def test_page_lists_decisions_without_a_draw(tmp_path, study):
    decisions = _csv(tmp_path, HEAD + "7,1,reject,AB,\n7,11,reject,AB,\n8,1,accept,AB,\n")
    study = replace(study, review=replace(study.review, decisions=str(decisions)))
    write_table(tmp_path / "p000007.parquet", "excerpts", table_from_rows("excerpts", [excerpt(1)]))
    said = read_review_decisions(decisions, MINUTES)[7]
    settings = BeatSettings.from_study(study)
    write_beats(tmp_path / "p000007.parquet", settings, said, "", tmp_path / "b.parquet", tmp_path / "q.parquet")
    write_review([tmp_path / "q.parquet"], tmp_path, SubjectNames(), study, tmp_path / "review.html")
    page = (tmp_path / "review.html").read_text()
    assert "Without effect: 2 decisions" in page
    for name in ("subject 7, draw 11", "subject 8, draw 1"):
        assert f"{name}: the study reads no ECG for such a draw" in page


def test_page_offers_a_draw_without_a_good_beat_and_tells_what_the_rules_took(tmp_path, study):
    study = replace(study, quality=replace(study.quality, rr_range_ms=(0.0, 100.0)))  # no beat is good
    flat = excerpt(2, ecg_mv=np.zeros(75_000, np.float32), value=4.1, label=0)
    write_table(tmp_path / "p000007.parquet", "excerpts", table_from_rows("excerpts", [flat, excerpt(1, value=8.3)]))
    settings = BeatSettings.from_study(study)
    write_beats(tmp_path / "p000007.parquet", settings, {}, "", tmp_path / "b.parquet", tmp_path / "q.parquet")
    write_review([tmp_path / "q.parquet"], tmp_path, SubjectNames(), study, tmp_path / "review.html")
    page = (tmp_path / "review.html").read_text()
    assert "Of 2 excerpts, 2 have no good beat" in page
    assert page.index(": positive, potassium\n8.3 mEq/L") < page.index(": negative, potassium\n4.1 mEq/L")
    assert page.count("<polyline") == 2
    words = Page(tmp_path / "review.html").words
    assert "too few good beats 1 of 1 (100.0%) 8.3 0 of 1" in words
    assert "too few R peaks 0 of 1 1 of 1 (100.0%) 4.1" in words
    assert re.search(r"interval out of range \d+\.\d% \N{EN DASH} \N{EN DASH}", words)
