"""The paper's figures, against what can be worked out from them."""

import pytest

from kalemia.report import chiu2022 as paper
from kalemia.report.formatting import METRIC_NAMES
from kalemia.report.sections.generic import SPLITS


def _largest_sample_sd(mean: float, n: int) -> float:
    """The largest sample SD (n - 1) that `n` values between 0 and 1 can have around `mean`.

    The sum of squares is largest where every value is 0 or 1, which gives a variance of mean (1 - mean) n / (n - 1).
    """
    return (mean * (1 - mean) * n / (n - 1)) ** 0.5


def test_largest_sample_sd_around_a_half_is_that_of_zeros_and_ones():
    assert _largest_sample_sd(0.5, 2) == pytest.approx(0.5**0.5)
    assert _largest_sample_sd(0.0, 16) == 0


def test_an_sd_is_doubted_just_where_it_is_impossible():
    for rounds in paper.ROUNDS.values():
        for result in rounds.values():
            if result.sd is not None:
                possible = result.sd <= _largest_sample_sd(result.mean, paper.PATIENTS)
                assert possible == (result.doubt is None)


def test_the_doubt_on_specificity_states_the_largest_sd():
    doubted = paper.ROUNDS["specificity"][1]
    assert f"{_largest_sample_sd(doubted.mean, paper.PATIENTS):.3f}" == "0.300"
    assert "0.300" in doubted.doubt


def test_errors_over_draws_would_be_of_at_most_two_patients():
    """What the others lack of 1 is, beside one patient's error, less than one wrong draw of fifty."""
    n, mean, sd = paper.PATIENTS, paper.ROUNDS["accuracy"][5].mean, paper.ROUNDS["accuracy"][5].sd
    lacking = n * (1 - mean + 0.0005)  # the largest sum of errors that is rounded to the published mean
    squares = (n - 1) * (sd - 0.0005) ** 2 + lacking**2 / n
    others = (lacking - (2 * squares - lacking**2) ** 0.5) / 2  # of two patients' errors, the smaller one
    assert 0 < others < 1 / 50
    assert "at least 14 of the 16" in paper.UNIT_DOUBT


def test_share_of_men_is_of_the_1023_whose_gender_is_told():
    men, share = paper.CHARACTERISTICS["generic"]["men"]
    assert round(men / 1023, 3) == share
    assert round(men / paper.CHARACTERISTICS["generic"]["n"], 3) != share
    assert "1,023" in paper.GENDER_DOUBT


def test_generic_draws_are_those_of_both_classes():
    generic = paper.CHARACTERISTICS["generic"]
    assert generic["positive"] + generic["negative"] == generic["draws"]


def test_every_metric_and_split_of_the_report_has_published_figures():
    assert set(paper.ROUNDS) == set(METRIC_NAMES)
    assert set(paper.GENERIC_ACCURACY) == set(SPLITS)
    assert set(paper.CHARACTERISTICS["generic"]) == set(paper.CHARACTERISTICS["personal"])


def test_inclusion_adds_up():
    found = paper.INCLUSION
    assert found["eligible"] == found["personal"] + found["eligible_generic"]
    assert found["generic"] == found["positive_patients"] + found["negative_patients"]
    assert found["generic"] == sum(patients for patients, _, _ in paper.GENERIC_SPLITS.values())
    assert found["generic"] == paper.CHARACTERISTICS["generic"]["n"]
    assert found["positive_draws"] == paper.CHARACTERISTICS["generic"]["positive"]


def test_the_doubt_on_the_partition_is_that_of_6_2_2():
    expected = [round(0.6 * 1439), round(0.2 * 1439), round(0.2 * 1439)]
    reported = [patients for patients, _, _ in paper.GENERIC_SPLITS.values()]
    assert expected == [863, 288, 288]
    assert reported == [881, 280, 278]
    assert all(str(n) in paper.PARTITION_DOUBT for n in expected + reported)
    assert "read as one of patients; on that reading" in paper.PARTITION_DOUBT


def test_of_the_printed_shares_of_groups_that_of_hispanic_patients_alone_is_not_theirs():
    wrong = [
        (group, f"{share:.1%}", f"{n / population['n']:.1%}")
        for population in paper.CHARACTERISTICS.values()
        for group, (n, share) in population["ethnicity"].items()
        if f"{share:.1%}" != f"{n / population['n']:.1%}"
    ]
    assert wrong == [("Hispanic", "4.6%", "4.9%")]
    assert "4.6%" in paper.HISPANIC_DOUBT
    assert "4.9%" in paper.HISPANIC_DOUBT


def test_the_counts_make_about_200_beats_a_draw():
    beats = sum(positive + negative for _, positive, negative in paper.GENERIC_SPLITS.values())
    assert beats / paper.CHARACTERISTICS["generic"]["draws"] == pytest.approx(200, abs=1)


def test_a_plateau_and_a_doubted_figure_are_not_sure():
    unsure = {(m, k) for m, rounds in paper.ROUNDS.items() for k, result in rounds.items() if not result.is_sure}
    assert unsure == {("auc", 5), ("specificity", 1)}


def test_the_doubt_on_the_mean_accuracy_holds_of_the_printed_means():
    before = {metric: rounds[0].mean for metric, rounds in paper.ROUNDS.items()}
    assert before["accuracy"] < min(before["sensitivity"], before["specificity"])
    for metric in ("accuracy", "sensitivity", "specificity"):
        assert str(before[metric]) in paper.MEAN_ACCURACY_DOUBT


def test_every_p_value_is_of_a_published_result():
    assert all(round_ in paper.ROUNDS[metric] for metric, round_ in paper.P_VALUES)
