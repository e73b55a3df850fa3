"""Model cards, made from a small made-up results folder."""

import pytest

from kalemia.report.cards import TRAINED, generic_card, metric_rows, personal_card
from kalemia.report.inputs import read_patient, read_study
from kalemia.statistics import auc_interval, clopper_pearson
from report_fixture import N_ROUNDS, NO_FORWARD, PERSONAL, write_results

HEADINGS = ["Model", "Data", "Intended use", "Out of scope", "Metrics", "Ethical notes"]
FIRST, LAST = f"p{PERSONAL[0]:06d}", f"p{PERSONAL[-1]:06d}"


@pytest.fixture(scope="module")
def results(tmp_path_factory, study):
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, study)
    return folder


def test_both_cards_have_the_usual_headings(results, study):
    for card in (generic_card(study, read_study(results)), personal_card(study, read_patient(results, FIRST))):
        assert [part.heading for part in card.parts] == HEADINGS
        assert [line[3:] for line in card.markdown.splitlines() if line.startswith("## ")] == HEADINGS
        assert "docs/tripod-ai.md" in card.markdown
        assert "no medical device" in card.markdown


def test_generic_card_gives_each_split_with_intervals(results, study):
    card = generic_card(study, read_study(results)).markdown
    assert "| train, draws | 70 | 0.886 (0.826 to 0.926) |" in card
    assert "44 patients with 116 draws, 58 of them positive" in card


def test_personal_card_says_what_was_learned_from_and_tested_on(results, study):
    card = personal_card(study, read_patient(results, FIRST)).markdown
    assert f"in {N_ROUNDS} rounds" in card
    assert f"learned from {2 * N_ROUNDS} draws, {N_ROUNDS} of them positive" in card
    assert "tested on 8 others" in card


def test_intervals_of_one_patient_are_exact(results):
    arm = read_patient(results, FIRST).arms["paper"]
    after = arm.metrics[-1]
    told = {row[1]: row for row in metric_rows("paper", arm)}
    low, high = clopper_pearson(round(after["sensitivity"] * 4), 4)
    assert told["Sensitivity"][2] == "4"
    assert told["Sensitivity"][-2:] == [f"{after['sensitivity']:.3f}", f"{low:.3f} to {high:.3f}"]
    low, high = auc_interval(after["auc"], 4, 4)
    assert told["AUC"][-1] == f"{low:.3f} to {high:.3f}"


def test_a_patient_without_an_arm_has_a_card_that_says_why(results, study):
    assert f"forward: none, because {NO_FORWARD}." in personal_card(study, read_patient(results, LAST)).markdown


def test_cards_of_simulated_people_say_so(results, study):
    for card in (generic_card(study, read_study(results)), personal_card(study, read_patient(results, FIRST))):
        assert "Everybody in these data is simulated" in card.markdown


def test_every_way_of_training_is_put_into_words(schema):
    assert set(schema["$defs"]["arm"]["properties"]["trained"]["enum"]) == set(TRAINED)
