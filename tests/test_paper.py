"""The paper's figures, against what can be worked out from them."""

import pytest

from kalemia import paper
from kalemia.report import METRIC_NAMES
from kalemia.report.sections.generic import SPLITS


def test_largest_sample_sd_around_a_half_is_that_of_zeros_and_ones():
    assert paper.largest_sample_sd(0.5, 2) == pytest.approx(0.5**0.5)
    assert paper.largest_sample_sd(0.0, 16) == 0


def test_an_sd_is_doubted_just_where_it_is_impossible():
    for rounds in paper.ROUNDS.values():
        for result in rounds.values():
            if result.sd is not None:
                possible = result.sd <= paper.largest_sample_sd(result.mean, paper.PATIENTS)
                assert possible == (result.doubt is None)


def test_the_doubt_on_specificity_states_the_largest_sd():
    doubted = paper.ROUNDS["specificity"][1]
    assert f"{paper.largest_sample_sd(doubted.mean, paper.PATIENTS):.3f}" == "0.300"
    assert "0.300" in doubted.doubt


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
