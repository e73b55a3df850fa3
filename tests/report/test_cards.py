"""Model cards, made from a small made-up results folder."""

import dataclasses
import re
import shutil

import pytest

from conftest import ROOT
from kalemia.core.errors import UserError
from kalemia.models.card import TRAINED
from kalemia.report.cards import generic_card, metric_rows, personal_card, reporting_items
from kalemia.report.formatting import METRIC_NAMES
from kalemia.report.inputs import read_patient, read_study
from kalemia.report.outputs import SECTIONS
from report_fixture import N_ROUNDS, NO_FORWARD, PERSONAL, write_results

HEADINGS = ["Model", "Data", "Intended use", "Out of scope", "Metrics", "Ethical notes"]
LETTERS = {  # number of the guideline -> how many parts it has
    3: 3, 5: 2, 6: 3, 8: 3, 9: 3, 12: 7, 18: 6, 20: 3, 23: 2, 27: 3,
}  # fmt: skip
FIRST, LAST = f"p{PERSONAL[0]:06d}", f"p{PERSONAL[-1]:06d}"


@pytest.fixture(scope="module")
def results(tmp_path_factory, study):
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, study)
    return folder


def test_somebody_who_is_no_personal_patient_is_one_line(results):
    means = results / "mean_beats/p000099.parquet"
    shutil.copy(results / f"mean_beats/{FIRST}.parquet", means)
    with pytest.raises(UserError, match="p000099 is not a personal patient of this study"):
        read_patient(results, "p000099")
    means.unlink()


def test_both_cards_have_the_usual_headings(results, study):
    generic, personal = generic_card(study, read_study(results)), personal_card(study, read_patient(results, FIRST))
    for card, headings in ((generic, [*HEADINGS, "TRIPOD+AI"]), (personal, HEADINGS)):
        assert [part.heading for part in card.parts] == headings
        assert [line[3:] for line in card.markdown.splitlines() if line.startswith("## ")] == headings
        assert "not a medical device" in card.markdown


def test_generic_card_says_where_each_item_of_tripod_ai_is_answered(results, study):
    card = generic_card(study, read_study(results)).markdown
    for row in reporting_items():
        assert "| " + " | ".join(row) + " |" in card
    assert "generic/model-card.md" in personal_card(study, read_patient(results, FIRST)).markdown


def test_the_items_are_those_of_the_guideline():
    parts = {number: "abcdefg"[: LETTERS.get(number, 0)] or [""] for number in range(1, 28)}
    assert [item for item, _, _ in reporting_items()] == [f"{n}{part}" for n, of in parts.items() for part in of]


def test_what_the_user_has_to_answer_is_said():
    answered = {item: where for item, _, where in reporting_items()}
    alone = {item for item, where in answered.items() if where.startswith("the user")}
    assert alone == {"3c", "17", "18a", "18b", "18d", "19"}
    in_part = {item for item, where in answered.items() if "the user" in where} - alone
    assert {"1", "2", "3a", "5b", "6a", "18c", "18e", "25", "26"} <= in_part


def test_every_place_that_an_item_names_exists():
    sections, named = {section.title for section in SECTIONS.values()}, set()
    for item, _, where in reporting_items():
        for part in re.split(r"; ", where):
            quoted = re.findall("“([^”]+)”", part)
            docs = re.findall(r"docs/[\w-]+\.md", part)
            assert all((ROOT / path).exists() for path in docs), item
            if "page, “" in part:
                assert set(quoted) <= sections, item
                named |= set(quoted)
            elif "card, “" in part:
                assert set(quoted) <= set(HEADINGS), item
            elif docs:
                headings = re.findall(r"^#+ (.+)$", (ROOT / docs[-1]).read_text(), flags=re.MULTILINE)
                assert set(quoted) <= set(headings), item
    assert {"Patients, intervals and tests", "Calibration and real prevalence"} <= named


@pytest.mark.parametrize("item", ["12e", "23a"])
def test_measures_and_performance_name_every_section_that_gives_them(item):
    (where,) = (where for number, _, where in reporting_items() if number == item)
    for section in (
        "Negative controls and baselines",
        "Patients, intervals and tests",
        "Calibration and real prevalence",
    ):
        assert f"“{section}”" in where


def test_generic_card_gives_each_split_with_intervals(results, study):
    card = generic_card(study, read_study(results)).markdown
    assert "| train, draws | 70 | 0.886 (0.826 to 0.926) |" in card
    assert "44 patients with 116 draws, 58 of them positive" in card


def test_personal_card_says_what_was_learned_from_and_tested_on(results, study):
    card = personal_card(study, read_patient(results, FIRST)).markdown
    assert f"in {N_ROUNDS} rounds" in card
    assert f"trained on {2 * N_ROUNDS} draws, {N_ROUNDS} of them positive" in card
    assert "tested on 8 others" in card


def test_under_rolling_draws_that_are_tested_before_they_are_learned_from_count_as_both(results, study):
    rolling = dataclasses.replace(study.arms["paper"], protocol="rolling")
    of_study = dataclasses.replace(study, arms={**study.arms, "paper": rolling})
    card = personal_card(of_study, read_patient(results, FIRST)).markdown
    trained = f"paper: trained on {2 * N_ROUNDS} draws, {N_ROUNDS} of them positive; 8 draws tested, each by a network"
    assert trained in card


def test_one_patient_has_metrics_without_intervals_that_take_neighboring_draws_for_independent(results, study):
    patient = read_patient(results, FIRST)
    before, *_, after = patient.arms["paper"].metrics
    told = {row[1]: row for row in metric_rows("paper", patient.arms["paper"])}
    for name, n in (("sensitivity", 4), ("auc", 8)):
        assert told[METRIC_NAMES[name]][2:] == [str(n), f"{before[name]:.3f}", f"{after[name]:.3f}"]
    assert "neighbors are alike" in personal_card(study, patient).markdown


def test_a_patient_without_an_arm_has_a_card_that_says_why(results, study):
    assert f"forward: none, because {NO_FORWARD}." in personal_card(study, read_patient(results, LAST)).markdown


def test_cards_of_simulated_people_say_so(results, study):
    for card in (generic_card(study, read_study(results)), personal_card(study, read_patient(results, FIRST))):
        assert "All patients in these data are simulated" in card.markdown


def test_every_way_of_training_is_put_into_words(schema):
    assert set(schema["properties"]["arms"]["additionalProperties"]["properties"]["train"]["enum"]) == set(TRAINED)


def test_a_name_from_data_is_no_markup_in_a_card(results, study):
    name = "<script>alert(1)</script>\n# a | b ![x](https://example.org) `c` *d* &lt;"
    patient = dataclasses.replace(read_patient(results, FIRST), name=name)
    title = personal_card(study, patient).markdown.splitlines()[0]
    shown = "&lt;script>alert(1)&lt;/script> # a \\| b !\\[x\\](https://example.org) \\`c\\` \\*d\\* &amp;lt;"
    assert title == f"# Personal models of patient {shown}, study {study.study}"
