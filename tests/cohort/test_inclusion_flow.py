from hypothesis import given
from hypothesis import strategies as st

from kalemia.cohort.inclusion_flow import REASONS, STEPS, count_inclusion_flow


def test_a_small_flow_by_hand():
    flow = count_inclusion_flow([(1, None), (1, "no value"), (2, "no recording"), (2, "no value"), (3, "gap")])
    at = {step["step"]: step for step in flow["steps"]}
    assert (at["value measured"]["subjects"], at["value measured"]["draws"]) == (3, 5)
    assert at["value usable"]["lost_draws"] == 2
    assert at["value usable"]["lost_subjects"] == 0
    assert at["recorded before the draw"]["reasons"] == {"no recording": {"draws": 1, "subjects": 1}}
    assert (at["in a population"]["subjects"], at["in a population"]["draws"]) == (1, 1)


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([None, *REASONS]))))
def test_the_sums_close(draws):
    steps = count_inclusion_flow(draws)["steps"]
    assert [step["step"] for step in steps] == list(STEPS)
    left_subjects, left_draws = len({subject for subject, _ in draws}), len(draws)
    for step in steps:
        assert left_draws - step["lost_draws"] == step["draws"]
        assert left_subjects - step["lost_subjects"] == step["subjects"]
        assert sum(reason["draws"] for reason in step["reasons"].values()) == step["lost_draws"]
        left_subjects, left_draws = step["subjects"], step["draws"]
    assert left_draws == sum(reason is None for _, reason in draws)
    assert left_subjects == len({subject for subject, reason in draws if reason is None})
