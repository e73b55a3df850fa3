import pytest

from kalemia.core.wording import list_counts, plural


@pytest.mark.parametrize(
    ("n", "noun", "words"),
    [
        (0, "draw", "0 draws"),
        (1, "draw", "1 draw"),
        (1034, "draw", "1,034 draws"),
        (1, "more run", "1 more run"),
        (2, "more run", "2 more runs"),
        (1, "person", "1 person"),
        (0, "more person", "0 more people"),
        (1200, "person", "1,200 people"),
        (1.0, "minute", "1 minute"),
        (10.0, "minute", "10 minutes"),
        (0.2, "hour", "0.2 hours"),
    ],
)
def test_a_noun_has_the_number_of_its_count(n, noun, words):
    assert plural(n, noun) == words


def test_counts_of_names_are_right_for_one_and_for_many():
    assert list_counts({"implausible value": 1034, "twin": 1}) == "implausible value (1,034), twin (1)"
    assert list_counts({}) == ""
