"""What the first section of a page says beside an open claim."""

from kalemia.report.sections.claims import outlook


def _comparison(words, state, detectable, needed=79):
    return {"words": words, "state": state, "detectable": detectable, "patients_needed": needed}


def test_the_outlook_is_of_a_comparison_that_is_not_shown():
    found = {"comparisons": [_comparison("the wider", "shown", 0.09), _comparison("the open", "open", 0.05, 23)]}
    assert outlook(found, 0.05) == (
        "This study could detect a gain of 0.05 against the open; 23 patients would settle a gain of 0.05."
    )


def test_the_outlook_of_a_claim_that_was_not_tested_is_of_its_widest_comparison():
    found = {"comparisons": [_comparison("the wider", "shown", 0.09), _comparison("the other", "shown", 0.05)]}
    assert "0.09 against the wider" in outlook(found, 0.05)
    assert outlook({"comparisons": [_comparison("nobody", "open", float("nan"))]}, 0.05) == ""
