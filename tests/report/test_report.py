"""The pages and figures, made from a small made-up results folder."""

import csv
import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser
from itertools import combinations, pairwise, product
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.layout_engine import ConstrainedLayoutEngine

from conftest import ROOT
from kalemia.core.config import Range
from kalemia.core.errors import UserError
from kalemia.core.schemas import EVALUATION
from kalemia.core.tables import read_json, read_table
from kalemia.core.wording import plural
from kalemia.explanation.summary import Summary
from kalemia.report import chiu2022 as paper
from kalemia.report.cards import reporting_items
from kalemia.report.explanation_findings import change_sentence, distance_from_uniform, shown
from kalemia.report.figures.canvas import columns_of_panels, svg_figure
from kalemia.report.figures.explanation_drawing import COLORINGS, colored
from kalemia.report.figures.palette import ARM_COLORS, DARK, LIGHT, model_look
from kalemia.report.figures.patient_figures import MAX_GAP_DAYS, shortened_gaps
from kalemia.report.figures.study_figures import dodge
from kalemia.report.formatting import METRIC_NAMES, PROTOCOLS, bounds, count, mean_sd, number, percent
from kalemia.report.formatting import published as in_words
from kalemia.report.html import inline_svg
from kalemia.report.inputs import REVIEW, STUDY_FILES, read_explanations, read_patient, read_study
from kalemia.report.outputs import PATIENT_FIGURES, STUDY_FIGURES
from kalemia.report.patient_page import write_patient_page
from kalemia.report.sections.verdict import auc_change
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_csv_tables, write_patient_figures, write_study_figures
from kalemia.stats.draw_metrics import role_metrics
from report_fixture import N_ROUNDS, NO_FORWARD, PERSONAL, write_results

EVALUABLE, PARTLY = "p012108", "p013033"  # the second not in the forward arm
VOID = {"meta", "link", "br", "hr", "img", "input"}


@pytest.fixture(scope="module")
def results(tmp_path_factory, study):
    """A results folder with the study's page and two patients' pages."""
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, study)
    write_study_figures(study, folder)
    write_page(folder / "report.html", study, folder)
    for subject in (EVALUABLE, PARTLY):
        _write_patient(study, folder, subject)
    return folder


@pytest.fixture(scope="module")
def nobody(tmp_path_factory, study):
    """A results folder in which nobody is evaluable, with its pages."""
    folder = tmp_path_factory.mktemp("nobody")
    subjects = write_results(folder, study, personal=PERSONAL[:1], unevaluable=tuple(study.arms))
    write_study_figures(study, folder)
    write_page(folder / "report.html", study, folder)
    _write_patient(study, folder, subjects[0])
    return folder


@pytest.fixture(scope="module")
def six_arms(study):
    """The study with more arms than there are colors for them, each evaluable in the made-up results."""
    forward = study.arms["forward"]
    more = dict.fromkeys(("replay", "frozen_norm", "head", "whole"), forward)
    return dataclasses.replace(study, arms=study.arms | more)


@pytest.fixture(scope="module")
def many_arms(tmp_path_factory, six_arms):
    """A small results folder of the study with six arms, with its figures and pages."""
    folder = tmp_path_factory.mktemp("arms")
    subject = write_results(folder, six_arms, personal=PERSONAL[:2], unevaluable=())[0]
    write_study_figures(six_arms, folder)
    write_page(folder / "report.html", six_arms, folder)
    _write_patient(six_arms, folder, subject)
    return folder


def _write_patient(study, folder, subject):
    write_patient_figures(study, folder, subject)
    write_patient_page(folder / "patients" / subject / "report.html", study, folder, subject)


def _pages(folder):
    return sorted(folder.rglob("report.html"))


def _figures(folder):
    return sorted(folder.rglob("*.svg"))


class Page(HTMLParser):
    """Ids, references and text of a page; fails where tags do not match."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.targets, self.headings, self.open, self.text = [], [], [], [], []
        self.feed(Path(path).read_text())
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.note(dict(attrs))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.note(dict(attrs))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def note(self, attrs):
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.targets += [attrs[key] for key in ("href", "src", "xlink:href") if key in attrs]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


# Numbers


def test_numbers_are_written_as_the_paper_writes_them():
    assert mean_sd((0.604, 0.211)) == "0.604 (0.211)"
    assert mean_sd((4.3, 0.4), 2) == "4.30 (0.40)"
    assert count(41291) == "41,291"
    assert percent(0.596) == "59.6%"
    assert (plural(1, "draw"), plural(1034, "draw")) == ("1 draw", "1,034 draws")


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_what_is_not_known_is_a_dash(missing):
    assert number(missing) == "\N{EN DASH}"
    assert percent(missing) == "\N{EN DASH}"
    assert mean_sd((missing, missing)) == "\N{EN DASH}"
    assert mean_sd((0.5, missing)) == "0.500 (\N{EN DASH})"


def test_bounds_are_said_in_words():
    assert bounds(Range(above=5.5)) == "above 5.5"
    assert bounds(Range(from_=3.5, to=5.0)) == "from 3.5 to 5"
    assert bounds(Range(from_=1, below=2)) == "from 1 below 2"


@given(st.floats(0, 1))
def test_a_number_reads_back_within_its_digits(value):
    assert float(number(value)) == pytest.approx(value, abs=0.0005 + 1e-12)


# Colors


def _linear(color):
    """Of ``#rrggbb``, the red, green and blue light, 0 to 1."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _contrast(one, other):
    """WCAG 2 contrast ratio of two ``#rrggbb`` colors."""

    low, high = sorted(_linear(color) @ [0.2126, 0.7152, 0.0722] for color in (one, other))
    return (high + 0.05) / (low + 0.05)


# Color vision without one of the three cones, in linear RGB: Machado, Oliveira and Fernandes (IEEE Trans Vis Comput
# Graph 2009;15:1291), severity 1.
MACHADO = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
ARMS = [f"arm-{place}" for place in range(ARM_COLORS)]


def _lab(color, vision):
    """CIELAB of ``#rrggbb`` as an eye of `MACHADO`, or one with all cones (None), sees it."""
    seen = np.clip((np.eye(3) if vision is None else np.array(MACHADO[vision])) @ _linear(color), 0, 1)
    share = XYZ_OF_RGB @ seen / XYZ_OF_RGB.sum(axis=1)
    x, y, z = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_stand_out_from_the_ground(palette):
    for name in ("ink", "muted"):
        assert _contrast(palette[name], palette["paper"]) >= 4.5
    for name in ("positive", "negative", "generic", *ARMS):
        assert _contrast(palette[name], palette["paper"]) >= 3


@pytest.mark.slow
def test_words_in_figures_have_colors_that_can_be_read(results, many_arms):
    name_of = {color: name for name, color in LIGHT.items()}
    words = [
        text
        for folder in (results, many_arms)
        for path in _figures(folder)
        for text in re.findall(r"<text [^>]*>", path.read_text())
    ]
    colors = {color for text in words for color in re.findall(r"#[0-9a-f]{6}", text)}
    assert len(words) > 1000
    assert {"ink", "muted"} <= {name_of[color] for color in colors}
    for color, palette in product(colors, (LIGHT, DARK)):
        assert _contrast(palette[name_of[color]], palette["paper"]) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("vision", [None, *MACHADO])
@pytest.mark.parametrize("together", [("generic", *ARMS), ("positive", "negative", "generic")], ids=["arms", "classes"])
def test_colors_of_one_figure_are_told_apart_by_every_eye(palette, vision, together):
    seen = {name: _lab(palette[name], vision) for name in together}
    for one, other in combinations(together, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 15, (one, other)


def test_a_color_blind_eye_confuses_what_it_should():
    assert np.linalg.norm(_lab("#ffffff", None) - [100, 0, 0]) < 0.1
    assert np.linalg.norm(_lab("#ff0000", None) - [53.24, 80.09, 67.20]) < 0.1  # of sRGB's red, D65
    red, green = "#b35a00", "#6b7d00"
    assert np.linalg.norm(_lab(red, None) - _lab(green, None)) > 40
    assert np.linalg.norm(_lab(red, "deuteranopia") - _lab(green, "deuteranopia")) < 15


def test_no_two_of_nine_arms_look_alike():
    arms = [f"arm{place}" for place in range(9)]
    looks = [model_look(arm, arms) for arm in arms]
    for parts in (("color", "marker"), ("color", "dash"), ("color", "hatch")):
        assert len({tuple(str(getattr(look, part)) for part in parts) for look in looks}) == len(arms)
    assert {(look.marker, look.dash, look.hatch) for look in looks[:4]} == {("o", "-", "")}


def test_a_color_tells_what_it_means():
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert set(LIGHT) == set(DARK)


# Figures


def test_every_figure_that_is_named_is_written(results):
    assert {path.stem for path in (results / "figures").iterdir()} == set(STUDY_FIGURES)
    written = {path.stem for path in (results / "patients" / EVALUABLE).glob("*.svg")}
    assert written == set(PATIENT_FIGURES)


def test_figures_are_vectors_with_text_in_a_generic_font(results):
    for path in _figures(results):
        svg = path.read_text()
        assert "<text" in svg
        assert "<image" not in svg
        assert set(re.findall(r"font-family: ([^;\"]*)", svg)) <= {"sans-serif"}
        assert "DejaVu" not in svg


@pytest.mark.slow
def test_figures_are_the_same_to_the_byte_when_drawn_again(results, study, tmp_path):
    again = tmp_path / "again"
    ignored = shutil.ignore_patterns("*.svg", "*.html")
    shutil.copytree(results, again, ignore=ignored)
    write_study_figures(study, again)
    write_patient_figures(study, again, EVALUABLE)
    drawn = [(path, results / path.relative_to(again)) for path in _figures(again)]
    assert [path.name for path, before in drawn if path.read_bytes() != before.read_bytes()] == []


def test_the_last_bits_of_a_layout_do_not_reach_the_file(tmp_path, monkeypatch):
    def drawn(name: str) -> str:
        with svg_figure(tmp_path / name / "figure.svg", "Four lines.", 2.0, is_simulated=True) as figure:
            for (axes,) in columns_of_panels(figure, range(4), 1):
                axes.plot([0, 1], [0.1, 0.2])
        return (tmp_path / name / "figure.svg").read_text()

    def moved(engine, figure):
        solve(engine, figure)
        for axes in figure.axes:
            axes.set_position(np.add(axes.get_position(original=True).bounds, 1e-15), which="original")

    exact, solve = drawn("exact"), ConstrainedLayoutEngine.execute
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", moved)
    assert drawn("moved") == exact
    assert "clip-path" in exact


def test_every_figure_and_page_of_simulated_patients_says_so(results):
    for path in _figures(results):
        texts = [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]
        assert "Simulated patients: not a clinical result" in texts
    for path in _pages(results):
        assert "Simulated patients: nothing here is a clinical result." in Page(path).words


@pytest.mark.slow
def test_nothing_of_recorded_patients_says_simulated(study, tmp_path):
    recorded = dataclasses.replace(study, source=dataclasses.replace(study.source, kind="physionet"))
    write_results(tmp_path, recorded, personal=PERSONAL[:1], unevaluable=())
    write_study_figures(recorded, tmp_path)
    write_page(tmp_path / "report.html", recorded, tmp_path)
    for path in _figures(tmp_path):
        assert "imulated" not in path.read_text()
    assert "Simulated patients" not in (tmp_path / "report.html").read_text()


def test_inclusion_flow_shows_what_each_step_kept_and_lost(results):
    svg = (results / "figures/flow.svg").read_text()
    for step in read_json(results / "cohort/flow.json")["steps"]:
        assert f">{step['draws']:,} draws of {step['subjects']} subjects<" in svg
        for reason, lost in step["reasons"].items():
            assert f">{reason}: {lost['draws']}<" in svg
    assert ">27 train, 9 validation, 8 test<" in svg


def test_every_patient_is_a_line_of_each_metric_and_arm(results):
    lines = re.findall(r'id="line-(p\d{6})-(\w+)-(\w+)"', (results / "figures/rounds.svg").read_text())
    expected = {
        (f"p{subject:06d}", arm, metric)
        for subject in PERSONAL
        for arm in ("paper", "forward")
        for metric in ("auc", "accuracy")
        if not (arm == "forward" and subject == PERSONAL[-1])
    }
    assert Counter(lines) == Counter(expected)


def test_a_pause_of_days_is_shortened_and_the_rest_kept():
    assert shortened_gaps(np.array([0.0, 1.0, 3.0, 43.0, 43.5])) == pytest.approx([0, 1, 3, 3.6, 4.1])
    assert len(shortened_gaps(np.array([]))) == 0


@given(st.lists(st.floats(0, 1000), min_size=2).map(sorted))
def test_shortening_keeps_the_order_and_never_lengthens(days):
    steps = np.diff(shortened_gaps(np.array(days)))
    assert np.all(steps >= 0)
    assert np.all(steps <= np.minimum(np.diff(days), MAX_GAP_DAYS) + 1e-9)


def test_equal_values_stand_beside_each_other():
    assert dodge([1.0, 0.5, 1.0, 1.0]) == pytest.approx([-0.06, 0, 0, 0.06])
    assert np.ptp(dodge([1.0] * 40)) < 0.4


def test_published_means_that_are_about_or_in_doubt_have_hollow_marks(results):
    hollow = f"fill: {LIGHT['paper']}; stroke: {LIGHT['muted']}"
    for name in ("rounds", "rounds-by-class"):  # each shows one of them in each of two arms
        assert (results / f"figures/{name}.svg").read_text().count(hollow) == 2
    assert ">Chiu 2022, mean of 16 patients<" in (results / "figures/rounds.svg").read_text()
    assert ">Chiu 2022 after round 5 (of AUC: about)<" in (results / "figures/arms.svg").read_text()


def _texts(path):
    return [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.slow
def test_legends_and_titles_name_every_arm(many_arms, six_arms):
    patient = many_arms / "patients" / f"p{PERSONAL[0]:06d}"
    for path in (patient / "rounds.svg", patient / "waves.svg"):
        assert set(six_arms.arms) <= set(_texts(path))
    legend = _texts(many_arms / "figures/waves.svg")
    assert {f"after: {arm}" for arm in six_arms.arms} <= set(legend)
    for name in ("rounds", "leakage", "forest", "decision-curve", "calibration-arms", "sanity"):
        titles = " ".join(_texts(many_arms / f"figures/{name}.svg"))
        assert all(re.search(rf"\b{arm}\b", titles) for arm in six_arms.arms), name


def test_calibration_says_on_how_many_draws_and_patients(results):
    texts = _texts(results / "figures/calibration-arms.svg")
    assert "forward (24 test draws, 3 patients)" in texts
    assert "paper (32 test draws, 4 patients)" in texts
    assert "No arm has 16 test draws, so there is no curve to draw." not in texts


def test_without_test_draws_there_is_no_calibration_of_arms(nobody):
    assert "No arm has 16 test draws, so there is no curve to draw." in _texts(nobody / "figures/calibration-arms.svg")


# The study's page


def test_pages_ask_nothing_of_the_network_or_of_other_files(results):
    for path in _pages(results):
        page, text = Page(path), path.read_text()
        links = {target for target in page.targets if not target.startswith(("#", "data:"))}
        pages = {
            target
            for target in links
            if re.fullmatch(r"patients/p\d{6}/report\.html(#card)?|quality/review\.html|\.\./\.\./report\.html", target)
        }
        assert links - pages <= {"https://doi.org/10.2196/41163"}
        assert len(re.findall("<script", text)) == 1
        assert "<script>" in text  # no source to fetch
        assert "@import" not in text
        assert set(re.findall(r"url\((.)", text)) <= {"#"}


@pytest.mark.slow
def test_the_page_of_a_study_of_the_papers_size_is_below_10_mb(study, tmp_path):
    write_results(tmp_path, study, personal=tuple(range(10000, 10000 + paper.PATIENTS)))
    write_study_figures(study, tmp_path)
    write_page(tmp_path / "report.html", study, tmp_path)
    assert (paper.PATIENTS, len(study.arms)) == (16, 2)
    assert (tmp_path / "report.html").stat().st_size < 10e6


def test_references_within_a_page_arrive_and_ids_are_unique(results):
    for path in _pages(results):
        page = Page(path)
        assert max(Counter(page.ids).values()) == 1
        inner = set(re.findall(r"url\(#([^)]*)\)", path.read_text()))
        assert inner | {target[1:] for target in page.targets if target.startswith("#")} <= set(page.ids)


def test_headings_descend_by_single_steps_from_one_title(results):
    for path in _pages(results):
        headings = Page(path).headings
        assert headings.count(1) == 1
        assert headings[0] == 1
        assert all(below <= above + 1 for above, below in pairwise(headings))


def test_figures_of_a_page_follow_its_light_and_dark(results):
    page = (results / "report.html").read_text()
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert not [color for color in LIGHT.values() if color in drawings]
    assert len(re.findall(r'<svg[^>]* role="img" aria-label="[^"]+"', page)) == len(STUDY_FIGURES) + 1  # the answer's


def test_page_answers_with_the_mean_auc_of_both_arms(results, study):
    arms = read_json(results / "evaluation/summary.json")["arms"]
    text = Page(results / "report.html").words
    for arm, patients in (("forward", 3), ("paper", 4)):
        before, after = (arms[arm]["rounds"][k]["auc"]["mean"] for k in (0, N_ROUNDS))
        assert f"“{arm}” arm" in text
        assert f"over {patients} patients went from {before:.3f} with the generic network to {after:.3f}" in text


def test_answer_names_the_forward_arm_first_and_a_missing_value_as_such(study):
    missing = {"patients": 0, "rounds": [{"auc": {"mean": None, "sd": None, "n": 0}}]}
    known = {"patients": 1, "rounds": [{"auc": {"mean": m, "sd": None, "n": 1}} for m in (0.5, 0.75)]}
    assert auc_change(study, {"arms": {"paper": known, "forward": missing}}) == (
        "No patient could be evaluated in the “forward” arm, in which every training draw precedes every test draw;"
        " in the “paper” arm, in which the test draws are chosen at random, the mean AUC over 1 patient went from"
        " 0.500 with the generic network to 0.750 after the last round."
    )


def test_page_prints_our_figures_beside_the_papers_with_its_doubts(results, study):
    last_arm = list(study.arms)[-1]
    cell = read_json(results / "evaluation/summary.json")["arms"][last_arm]["rounds"][1]["specificity"]
    page = Page(results / "report.html")
    assert f"{cell['mean']:.3f} ({cell['sd']:.3f}) {cell['n']} 0.907 (0.321) a" in page.words
    assert "610 (59.6%) a" in page.words
    assert "Hispanic, n (%) 2 (4.5%) 71 (4.6%) b" in page.words
    assert "7 (43.8%)" in page.words
    assert "mEq/L, mean (SD) 4.2 (0.41) 4.3 (0.40)" in page.words
    assert "sample SD of 16 values between 0 and 1 is 0.300 at most" in page.words
    assert "train, draws 70 35 0.886 (0.826 to 0.926) 0.724 0.951 (0.891 to 0.991) 0.861 (0.801 to 0.901)" in page.words


def test_every_published_figure_stands_above_ours(results, study):
    words = Page(results / "report.html").words
    for split, (patients, positive, negative) in paper.GENERIC_SPLITS.items():
        assert f"{split} Chiu 2022 {patients} {positive:,} {negative:,} {paper.GENERIC_ACCURACY[split]:.3f}" in words
    assert "Chiu 2022 41,291 5,385 16 5,369 1,439 1,341 721 1,325 718 this study b 61 c 51 4 47 20 10 10 10 10" in words
    means = read_json(results / "evaluation/summary.json")["arms"]["forward"]["rounds"]
    ours = " ".join(f"{of['auc']['mean']:.3f} ({of['auc']['sd']:.3f})" for of in means)
    assert f"AUC this study, forward f {ours}" in words
    assert "Accuracy Chiu 2022 0.604 (0.211) 0.895 (0.189) e 0.942 (0.104)" in words
    for doubt in paper.DOUBTS:
        assert doubt in words


def test_what_was_obtained_in_another_way_has_a_note(results):
    words = Page(results / "report.html").words
    assert "has the patient\N{RIGHT SINGLE QUOTATION MARK}s own map a" in words
    assert "a Kalemia's mean beats are those of all labeled draws of the patient, including training draws" in words
    assert "Grad-CAM on the mean beat of all labeled draws, including training draws" in words
    assert "c Subjects with a value measured; the paper's number is that of the patients in its database." in words


def test_the_papers_means_beside_each_patients_improvement_keep_their_doubts(results):
    words = Page(results / "report.html").words
    dash = "\N{EN DASH}"
    auc, specificity = (words.split(f"{name} over the patient")[1] for name in ("AUC", "Specificity"))
    assert f"25% held out 0.729 (0.240) 0.918 (0.149) 0.945 (0.094) {dash} {dash} about 0.945 p0" in auc
    assert re.search(rf"25% held out 0\.628 \(0\.417\) 0\.907 \(0\.321\) \w \w {dash} ", specificity)
    assert in_words(paper.ROUNDS["auc"][5]) == "about 0.945"


def test_the_method_says_what_of_the_paper_is_a_reading(results):
    words = Page(results / "report.html").words
    assert "Adam, batches of 1024, 50 epochs Adam" in words
    assert "Beats per draw about 200, estimated from its counts" in words
    assert "Generic split 6:2:2 at random; by patient, judging from its counts" in words
    assert "25% of the draws; how they are chosen is not reported; assumed random" in words
    assert "published for a random split" not in words
    assert "16 patients, random split" not in words


def test_page_folds_the_items_of_tripod_ai_into_its_cards(results):
    text = (results / "report.html").read_text()
    (folded,) = re.findall(r"<details>\s*<summary>Where each item.*?</details>", text, flags=re.DOTALL)
    assert 'id="table-generic-card-reporting"' in folded
    assert folded.count("<tr>") == len(reporting_items()) + 1


def test_each_patients_improvement_after_every_round_is_listed(results):
    words = Page(results / "report.html").words
    rounds = read_table(results / "evaluation/rounds.parquet", "rounds").sort_by("round").to_pylist()
    mine = [row for row in rounds if (row["arm"], row["subject_id"]) == ("paper", PERSONAL[-1])]
    for metric in METRIC_NAMES:
        assert f"p{PERSONAL[-1]:06d} paper " + " ".join(f"{row[metric]:.3f}" for row in mine) in words


def test_page_tells_recalibration_from_personalization(results):
    """Of each patient's eight test draws the fixture's threshold gets one of four negative ones wrong."""
    words = Page(results / "report.html").words
    after = read_json(results / "evaluation/summary.json")["arms"]["paper"]["rounds"][N_ROUNDS]
    means = {metric: after[metric]["mean"] for metric in METRIC_NAMES}
    four = " ".join(f"{means[metric]:.3f}" for metric in ("auc", "accuracy", "sensitivity", "specificity"))
    assert "threshold 0.875 0.875 1.000 0.750 4" in words
    assert (
        f"last round {four} 4 paper: the generic network has a mean accuracy of 0.500, recalibration alone reaches"
        f" 0.875 at best (threshold), and the last round {means['accuracy']:.3f}, a difference of"
        f" {means['accuracy'] - 0.875:+.3f}."
    ) in words


def test_the_table_of_baselines_is_a_csv_too(results):
    write_csv_tables(results)
    with (results / "tables/baseline_averages.csv").open(newline="") as file:
        rows = {(row["arm"], row["model"]): row for row in csv.DictReader(file)}
    assert {arm: int(rows[arm, "last_round"]["patients"]) for arm, _ in rows} == {"forward": 3, "paper": 4}
    threshold = [float(rows["paper", "threshold"][metric]) for metric in METRIC_NAMES]
    assert threshold == [0.875, 0.875, 1.0, 0.75]  # accuracy, AUC, sensitivity, specificity


def test_page_says_who_is_not_evaluable_and_why(results):
    words = Page(results / "report.html").words
    assert f"Not evaluable: {NO_FORWARD}." in words
    assert "3 of 4 personal patients could be evaluated" in words
    assert "surplus of the class, 3." in words


def test_draws_between_the_classes_count_at_real_prevalence(results):
    words = Page(results / "report.html").words
    assert "beyond the negative class (4 over all arms)" in words  # one of each patient in the arm divided at random


def test_page_links_every_personal_patient(results):
    linked = [target for target in Page(results / "report.html").targets if target.startswith("patients/")]
    assert list(dict.fromkeys(target.removesuffix("#card") for target in linked)) == [
        f"patients/p{subject:06d}/report.html" for subject in PERSONAL
    ]


def test_page_tells_what_was_run(results, study):
    words = Page(results / "report.html").words
    for part in (study.digest("generic"), study.arm_digest("forward"), "positive: {above: 5.5}", f"seed: {study.seed}"):
        assert part in words


def test_page_tells_how_long_each_rule_took(results):
    words = Page(results / "report.html").words
    assert "Time by rule: 3 jobs, 1.3 minutes in total" in words
    assert "generic 1 75.2 75.2 410" in words  # the one that took most first
    assert "nulls 2 3.8 2.2 210" in words


def test_page_names_the_hash_of_every_table_it_rests_on(results):
    words = Page(results / "report.html").words
    for name in ("cohort/populations.parquet", "generic/predictions.parquet", "evaluation/rounds.parquet"):
        assert f"{name} {hashlib.sha256((results / name).read_bytes()).hexdigest()}" in words


def test_page_rests_on_what_its_rule_declares_and_on_nothing_beside_it(results, study, tmp_path):
    rule = (ROOT / "rules/report.smk").read_text().split("rule study_report:")[1].split("output:")[0]
    assert "result_path(file.path) for file in EVALUATION if file.on_page" in rule
    declared = {*re.findall(r'result_path\("([^"]+)"\)', rule), *(file.path for file in EVALUATION if file.on_page)}
    assert {*STUDY_FILES, REVIEW} == declared
    again = tmp_path / "again"
    shutil.copytree(results, again)
    for folder in ("cohort", "evaluation"):
        (again / folder / "notes.txt").write_text("of no concern")
    write_page(tmp_path / "report.html", study, again)
    assert (tmp_path / "report.html").read_bytes() == (results / "report.html").read_bytes()


def test_a_study_name_cannot_become_markup(results, study, tmp_path):
    named = dataclasses.replace(study, study="<script>alert(1)</script>")
    write_page(tmp_path / "report.html", named, results)
    text = (tmp_path / "report.html").read_text()
    assert len(re.findall("<script", text)) == 1
    assert "&lt;script&gt;" in text


def test_with_nobody_evaluable_the_pages_say_so(nobody):
    page, patient = (Page(path) for path in reversed(_pages(nobody)))
    assert "No patient could be evaluated in the “forward” arm" in page.words
    assert "0 of 1 personal patients could be evaluated" in page.words
    assert "nan" not in page.words.lower().split()
    assert "None" not in page.words
    assert patient.words.count(f"Not evaluable: {NO_FORWARD}.") == 2


def test_every_protocol_of_the_configuration_is_explained(schema):
    assert set(schema["properties"]["arms"]["additionalProperties"]["properties"]["protocol"]["enum"]) == set(PROTOCOLS)


# A patient's page


def test_patient_page_judges_every_test_draw_of_the_last_round(results):
    words = Page(results / f"patients/{EVALUABLE}/report.html").words
    right = wrong = 0
    for arm in ("paper", "forward"):
        path = results / f"personal/{arm}/{EVALUABLE}/round-{N_ROUNDS}/predictions.parquet"
        predictions = read_table(path, "predictions")
        test = predictions.filter(pc.equal(predictions["role"], "test")).to_pylist()
        right += sum(row["decision"] == row["label"] for row in test)
        wrong += sum(row["decision"] != row["label"] for row in test)
    found = Counter(re.findall(r"(?:positive|negative), (right|wrong)", words))
    assert found == {"right": right, "wrong": wrong}
    assert right + wrong == 16
    assert wrong > 0


def test_patient_page_shows_metrics_before_and_after(results):
    words = Page(results / f"patients/{EVALUABLE}/report.html").words
    for arm in ("paper", "forward"):
        before, after = (
            role_metrics(
                read_table(results / f"personal/{arm}/{EVALUABLE}/round-{k}/predictions.parquet", "predictions"), "test"
            )
            for k in (0, N_ROUNDS)
        )
        pairs = " ".join(f"{before[metric]:.3f} {after[metric]:.3f}" for metric in METRIC_NAMES)
        assert f"{arm} {N_ROUNDS} 8 4 {pairs}" in words


def test_patient_page_says_why_draws_were_left_out(results):
    words = Page(results / f"patients/{PARTLY}/report.html").words
    assert "Left out: too few good beats." in words
    assert "not recording at the time, 5." in words
    assert f"Not evaluable: {NO_FORWARD}." in words


def test_mean_beats_are_those_of_labeled_draws_that_passed(results):
    patient = read_patient(results, EVALUABLE)
    assert patient.draw_beats_mv.shape == (22, 120)  # of 24, one excluded and one between the classes
    assert Counter(patient.draw_labels.tolist()) == {0: 11, 1: 11}
    assert np.all(patient.draw_beats_mv.argmax(axis=1) == 40)


def test_a_patients_page_needs_no_other_patients_files(results, study, tmp_path):
    folder = tmp_path / "alone"
    others = [f"p{subject:06d}*" for subject in PERSONAL if f"p{subject:06d}" != EVALUABLE]
    shutil.copytree(results, folder, ignore=shutil.ignore_patterns("evaluation", "generic", *others))
    write_patient_page(tmp_path / "report.html", study, folder, EVALUABLE)
    assert (tmp_path / "report.html").read_bytes() == (results / f"patients/{EVALUABLE}/report.html").read_bytes()


# What the networks look at


def test_the_page_says_what_each_wave_gets_and_what_is_lost_without_it(results, study):
    words, summary = Page(results / "report.html").words, Summary(list(_explanations(results).values()), study.seed)
    share, change = summary.share("paper", 4, "T"), summary.change("paper", "paper", "T")
    assert change.mean > 0.5
    assert f"removing the T wave changes the output most: {shown(change)} of the total change" in words
    assert f"paper after T 32.5% {shown(share)}" in words
    assert shown(change) in words


def test_the_page_of_a_few_patients_cannot_tell_whether_a_map_changes(results):
    words = Page(results / "report.html").words
    assert "All weights random: 0 of 6 maps change; cannot be told: generic in the last stage," in words
    assert "Trained on shuffled labels: 0 of 4 maps change; cannot be told:" in words


def test_the_page_says_how_far_maps_are_from_an_even_one(results, study):
    summary = Summary(list(_explanations(results).values()), study.seed)
    distance = summary.share("paper", 4, "T").mean - summary.even_share("paper", 4, "T")
    said = distance_from_uniform(summary, ["generic", "paper"], 4)
    assert f"the last stage are within {100 * distance:.0f} percentage points of" in said
    assert said.endswith("(farthest: T, paper).")
    assert distance_from_uniform(summary, ["generic", "forward", "paper"], 2) in Page(results / "report.html").words


def test_a_map_that_does_not_change_is_named(results, study):
    explanations = _explanations(results)
    for one in explanations.values():
        for row in one.sanity:
            if (row["model"], row["stage"], row["reference"]) == ("paper", 4, "stem"):
                row["spearman"] = 0.9
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


def _explanations(results):
    return read_explanations(results, [f"p{subject:06d}" for subject in PERSONAL])


# Inputs


def test_explanations_are_read_of_those_who_are_evaluable(results, nobody):
    explanations = read_explanations(results, [EVALUABLE, PARTLY])
    assert set(explanations[EVALUABLE].embedding) == {"generic", "paper", "forward"}
    assert set(explanations[PARTLY].embedding) == {"generic", "paper"}
    assert explanations[EVALUABLE].attention["paper", 4, 1].shape == (120,)
    assert explanations[EVALUABLE].stages == [2, 4]
    assert not explanations[EVALUABLE].embedding["generic"].learned.any()
    assert read_explanations(nobody, [f"p{PERSONAL[0]:06d}"]) == {}


def test_a_missing_input_is_named_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"flow\.json"):
        read_study(tmp_path)
    with pytest.raises(UserError, match=r"none\.svg: cannot be read as SVG; delete it and run again"):
        inline_svg(tmp_path / "none.svg")


def test_pages_are_written_without_matplotlib_and_torch():
    code = "import sys, kalemia.report.study_page, kalemia.report.patient_page; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "kalemia.report.study_page" in loaded
    assert not {"matplotlib", "torch", "scipy"} & set(loaded)
