"""The first section of a page: the answer in a sentence, the rows of claims, and what would settle an open one."""

import pytest

from kalemia.report.sections.claims import answer, answer_between_patients, claim_rows, outlook

FEW = "against networks trained on shifted labels: only 5 patients can be counted, and at least 8 are needed"


def _comparison(words, state, detectable, needed=79):
    return {"words": words, "state": state, "detectable": detectable, "patients_needed": needed}


def _claims(*states, words="the generic network", reason="against it: AUC +0.01"):
    one = [{"words": words, "state": "open", "difference": 0.01}]
    names = ("reads", "personal", "needs_network", "adds")
    return {
        name: {"state": state, "reason": reason, "comparisons": [one[0] | {"state": state}]}
        for name, state in zip(names, states, strict=True)
    }


@pytest.mark.parametrize(
    ("states", "state", "sentence"),
    [
        (("shown", "shown", "excluded", "open"), "shown", "other people, but simpler methods read it as well."),
        (("shown", "shown", "shown", "shown"), "shown", "as well; it adds to the last laboratory value."),
        (("shown", "shown", "shown", "excluded"), "shown", "as well; it adds nothing to the last laboratory value."),
        (("shown", "excluded", "open", "open"), "excluded", "read potassium, but no better than the generic network."),
        (("excluded", "open", "open", "open"), "excluded", "no better than networks trained on wrong labels."),
        (("shown", "open", "open", "open"), "open", "the difference from the generic network may be chance."),
    ],
)
def test_the_answer_follows_from_the_claims_in_their_order(states, state, sentence):
    found = answer(_claims(*states), "potassium")
    assert found.state == state
    assert found.sentence.endswith(sentence)
    assert found.sentence.split(":")[0] == {"shown": "Yes", "excluded": "No", "open": "Not decided"}[state]


def test_the_answer_says_how_many_patients_are_missing():
    found = answer(_claims("open", "open", "open", "open", reason=FEW), "potassium")
    assert found == ("open", "Not decided: only 5 patients can be counted, and at least 8 are needed.")
    assert answer({}, "potassium").state == "open"


def test_without_personal_patients_the_answer_is_about_people_never_seen():
    claims = _claims("shown", "open", "open", "open")
    found = answer_between_patients({name: claims[name] for name in ("reads", "needs_network")}, "potassium")
    assert found.sentence == (
        "Yes: on people it never saw, the network reads potassium better than chance, but whether simpler methods read"
        " it as well is open."
    )


def test_a_row_shows_the_smallest_difference_and_none_where_nothing_was_tested():
    claims = [(name, found | {"claim": name}) for name, found in _claims("shown", "excluded", "open", "open").items()]
    claims[0][1]["comparisons"] = [{"difference": 0.3}, {"difference": -0.125}, {"difference": float("nan")}]
    rows = claim_rows(claims)
    assert [row["figure"] for row in rows] == ["\N{MINUS SIGN}0.12", "+0.01", "not tested", "not tested"]
    assert [row["measure"] for row in rows] == ["AUC", "AUC", "", ""]


def test_the_outlook_is_of_a_comparison_that_is_not_shown():
    found = {"comparisons": [_comparison("the wider", "shown", 0.09), _comparison("the open", "open", 0.05, 23)]}
    assert outlook(found, 0.05) == (
        "This study could detect a gain of 0.05 against the open; 23 patients would settle a gain of 0.05."
    )


def test_the_outlook_of_a_claim_that_was_not_tested_is_of_its_widest_comparison():
    found = {"comparisons": [_comparison("the wider", "shown", 0.09), _comparison("the other", "shown", 0.05)]}
    assert "0.09 against the wider" in outlook(found, 0.05)
    assert outlook({"comparisons": [_comparison("nobody", "open", float("nan"))]}, 0.05) == ""
