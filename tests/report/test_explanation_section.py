"""Explanations on the page: sentences, rows and colors."""

import numpy as np

from kalemia.explanation.summary import Summary, places_found
from kalemia.report.explanation_findings import change_sentence, distance_from_uniform, explanation_values, shown
from kalemia.report.figures.explanation_drawing import COLORINGS, colored
from kalemia.report.figures.palette import LIGHT
from kalemia.report.formatting import number
from kalemia.report.inputs import read_explanations, read_study
from report_fixture import PERSONAL
from report_pages import EVALUABLE, Page


def test_the_page_says_what_each_wave_gets_and_what_is_lost_without_it(results, study):
    words, summary = Page(results / "report.html").words, Summary(list(_explanations(results).values()), study.seed)
    share, change = summary.share("paper", 4, "T"), summary.change("paper", "paper", "T")
    assert change.mean > 0.5
    assert f"removing the T wave changes the output most: {shown(change)} of the total change" in words
    assert f"paper after T 32.5% {shown(share)}" in words
    assert shown(change) in words


def test_the_page_of_a_few_patients_cannot_tell_whether_a_map_changes(results):
    words = Page(results / "report.html").words
    assert "All weights random: 0 of 6 maps change; open: generic in the last stage," in words
    assert "Trained on shuffled labels: 0 of 4 maps change; open:" in words


def test_the_page_says_how_far_maps_are_from_an_even_one(results, study):
    summary = Summary(list(_explanations(results).values()), study.seed)
    distance = summary.share("paper", 4, "T").mean - summary.even_share("paper", 4, "T")
    said = distance_from_uniform(summary, ["generic", "paper"], 4)
    assert f"the last stage are within {100 * distance:.0f} percentage points of" in said
    assert said.endswith("(farthest: T, paper).")
    assert distance_from_uniform(summary, ["generic", "forward", "paper"], 2) in Page(results / "report.html").words


def test_a_map_that_does_not_change_is_named(results, study):
    explanations = _explanations(results)
    for place, one in enumerate(explanations.values()):
        for row in one.sanity:
            if (row["model"], row["stage"], row["reference"]) == ("paper", 4, "stem"):
                row["spearman"] = 0.9 + place / 100
    twice = [*explanations.values()] * 2  # eight patients, enough to tell
    said = change_sentence(Summary(twice, study.seed), ["generic", "paper"], [4, 2], "stem")
    assert "3 of 4 maps change" in said
    assert "unchanged, so they may show the beat rather than what was learned: paper in the last stage" in said


def test_beats_are_colored_by_class_value_and_episode(results):
    beats = _explanations(results)[EVALUABLE].embedding["paper"]
    for coloring in COLORINGS:
        groups = colored(beats, coloring, (3.5, 7.0))
        assert np.sum([mine for mine, _, _ in groups], axis=0).tolist() == [1] * len(beats.labels)
    by_episode = {color: beats.episodes[mine] for mine, color, _ in colored(beats, "episode", (3.5, 7.0))}
    assert set(by_episode[LIGHT["scale-0"]]) == {0}
    assert set(by_episode[LIGHT["scale-6"]]) == {6, 7}


def test_the_page_says_how_well_maps_find_the_planted_places_of_this_patient_and_of_others(results, study):
    explanations = read_study(results).explanations
    summary, words = Summary(list(explanations.values()), study.seed), Page(results / "report.html").words
    figures = [find("paper", "paper", 4) for find in (summary.found, summary.found_of_others, summary.found_more)]
    said = " ".join(map(shown, (*figures, summary.found_at_random("paper", 4))))
    assert f"paper after Grad-CAM, last stage {said}" in words
    assert f"paper after occlusion {shown(summary.found('paper', 'paper', None))}" in words
    one = places_found(explanations[EVALUABLE], explanations[EVALUABLE].acts_at, "paper", "paper", 4)
    assert f"{EVALUABLE} paper T {number(one, 2)}" in words


def test_without_planted_places_the_page_has_no_such_table(results, study):
    values = explanation_values(_explanations(results), list(study.arms), study.seed)
    assert values["planted_rows"] == values["planted_patient_rows"] == []
    assert values["wave_rows"]


def _explanations(results):
    return read_explanations(results, [f"p{subject:06d}" for subject in PERSONAL])
