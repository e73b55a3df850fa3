import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalemia.cohort.inclusion_flow import (
    REASONS,
    STEPS,
    DrawOutcome,
    count_flags,
    count_inclusion_flow,
    describe_window,
    displayed_steps,
    step_descriptions,
)


def test_a_small_flow_by_hand():
    draws = [(1, None), (1, "no value"), (2, "no recording", 1, 6.5), (2, "no value"), (3, "gap", None, 5.2)]
    flow = count_inclusion_flow([DrawOutcome(*draw) for draw in draws])
    at = {step["step"]: step for step in flow["steps"]}
    assert (at["value measured"]["subjects"], at["value measured"]["draws"]) == (3, 5)
    assert at["value usable"]["lost_draws"] == 2
    assert at["value usable"]["lost_subjects"] == 0
    assert at["recorded before the draw"]["reasons"] == {
        "no recording": {
            "draws": 1,
            "subjects": 1,
            "classes": {"positive": {"draws": 1, "value": [6.5, 6.5, 6.5]}},
        }
    }
    unlabeled = at["value usable"]["reasons"]["no value"]["classes"]
    assert unlabeled == {"unlabeled": {"draws": 2, "value": [None, None, None]}}
    assert (at["in a population"]["subjects"], at["in a population"]["draws"]) == (1, 1)


def test_flags_are_counted_whether_or_not_they_exclude():
    flags = [["twin"], [], ["no value", "hemolyzed"], ["twin", "contaminated"], ["hemolyzed"]]
    assert count_flags(flags) == {"no value": 1, "hemolyzed": 2, "twin": 2, "contaminated": 1}


@given(
    st.lists(
        st.builds(DrawOutcome, st.integers(1, 9), st.sampled_from([None, *REASONS]), st.sampled_from([0, 1, None]))
    )
)
def test_the_sums_close(draws):
    steps = count_inclusion_flow(draws)["steps"]
    assert [step["step"] for step in steps] == list(STEPS)
    left_subjects, left_draws = len({draw.subject_id for draw in draws}), len(draws)
    for step in steps:
        assert left_draws - step["lost_draws"] == step["draws"]
        assert left_subjects - step["lost_subjects"] == step["subjects"]
        assert sum(reason["draws"] for reason in step["reasons"].values()) == step["lost_draws"]
        for reason in step["reasons"].values():
            assert sum(of["draws"] for of in reason["classes"].values()) == reason["draws"]
        left_subjects, left_draws = step["subjects"], step["draws"]
    assert left_draws == sum(draw.reason is None for draw in draws)
    assert left_subjects == len({draw.subject_id for draw in draws if draw.reason is None})


@pytest.mark.parametrize(
    ("offset_hours", "expected"),
    [
        (0.0, "10 minutes before"),
        (6.0, "10 minutes that end 6 hours before"),
        (-0.5, "10 minutes that end 0.5 hours after"),
    ],
)
def test_the_page_states_the_offset_of_the_window(study, offset_hours, expected):
    cohort = dataclasses.replace(study.cohort, offset_hours=offset_hours)
    assert describe_window(cohort) == expected
    assert expected in step_descriptions(study.analyte, cohort, study.populations)["recorded before the draw"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "recorded before the draw"),
        ({"offset_hours": -2.0}, "recorded after the draw"),
        ({"pairing_hours": 4.0}, "recorded near the draw"),
    ],
)
def test_a_page_says_where_in_time_the_ecg_of_a_draw_is(study, changes, name):
    cohort = dataclasses.replace(study.cohort, **changes)
    steps = count_inclusion_flow([], step_descriptions(study.analyte, cohort, study.populations))["steps"]
    shown = displayed_steps(steps, study.analyte, cohort, has_items=True)
    assert shown[3]["step"] == name
    assert [step["rule"] for step in shown] == [step["rule"] for step in steps]


def test_a_page_names_neither_items_nor_codes_that_the_study_does_not_have(study):
    cohort = dataclasses.replace(study.cohort, exclude_codes=False)
    steps = count_inclusion_flow([], step_descriptions(study.analyte, cohort, study.populations))["steps"]
    shown = displayed_steps(steps, study.analyte, cohort, has_items=False)
    assert shown[0]["rule"] == "potassium"
    assert [step["step"] for step in shown[:3]] == ["value measured", "value usable", "recorded before the draw"]
