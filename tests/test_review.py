import pytest

from kalemia.errors import UserError
from kalemia.review import Decision, read_decisions

HEAD = "subject_id,draw_id,decision,reviewer,note\n"


def _csv(tmp_path, text):
    path = tmp_path / "decisions.csv"
    path.write_text(text)
    return path


def test_no_file_no_decisions():
    assert read_decisions(None, 7) == {}


def test_the_decisions_on_one_subject_are_read(tmp_path):
    path = _csv(tmp_path, HEAD + '7,1,accept,AB,\n8,2,reject,AB,\n7,3,reject,CD,"noise, mostly"\n')
    assert read_decisions(path, 7) == {1: Decision("accept", "AB", ""), 3: Decision("reject", "CD", "noise, mostly")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "7,1,maybe,AB,\n", "line 2: decision 'maybe' is neither"),
        (HEAD + "7,1,accept,,\n", "line 2: names no reviewer"),
        (HEAD + "7,1,accept,AB,\n7,1,reject,AB,\n", "line 3: decides on draw 1 for the second time"),
        ("draw_id,decision\n1,accept\n", "needs the columns"),
        ("", "needs the columns"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read_decisions(_csv(tmp_path, text), 7)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="needs the columns"):
        read_decisions(tmp_path / "none.csv", 7)
