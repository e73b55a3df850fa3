"""The figures of the study and of a patient."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from io import StringIO
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.transforms import Bbox

from kalemia.core.tables import read_json
from kalemia.report.figures import canvas
from kalemia.report.figures.layout import lay_out
from kalemia.report.figures.palette import LIGHT
from kalemia.report.figures.patient_figures import MAX_GAP_DAYS, shortened_gaps
from kalemia.report.figures.study_figures import dodge
from kalemia.report.outputs import PATIENT_FIGURES, STUDY_FIGURES
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_patient_figures, write_study_figures
from report_fixture import PERSONAL, write_results
from report_pages import EVALUABLE, Page, figure_paths, page_paths


def test_every_figure_that_is_named_is_written(results):
    named = {f"{name}.{kind}" for name, figure in STUDY_FIGURES.items() for kind in figure.formats}
    assert {path.name for path in (results / "figures").iterdir()} == named
    assert {"figure-1.svg", "figure-1.pdf", "figure-1.png"} <= named
    for kind in ("svg", "pdf"):
        assert {path.stem for path in (results / "patients" / EVALUABLE).glob(f"*.{kind}")} == set(PATIENT_FIGURES)


def test_figures_are_vectors_with_text_in_a_generic_font(results):
    for path in figure_paths(results):
        svg = path.read_text()
        assert "<text" in svg
        assert "<image" not in svg
        assert set(re.findall(r"font-family: ([^;\"]*)", svg)) <= {"sans-serif"}
        assert "DejaVu" not in svg


def test_a_figure_is_16_to_9_or_higher_and_its_title_is_a_sentence(results):
    for path in figure_paths(results):
        root = ET.parse(path).getroot()
        *_, width, height = map(float, root.get("viewBox").split())
        assert height >= 0.99 * width * 9 / 16
    for figure in (*STUDY_FIGURES.values(), *PATIENT_FIGURES.values()):
        assert figure.caption.endswith(".")
        assert len(figure.caption) < 100


def test_a_pdf_does_not_depend_on_the_seed_of_hashes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from kalemia.report.figures.canvas import svg_figure\n"
        "with svg_figure([Path(sys.argv[1]), Path(sys.argv[1]).with_suffix('.pdf')], 'A title.', 1, True) as figure:\n"
        "    figure.add_subplot().set_title('some letters')"
    )
    made = []
    for seed in ("1", "2"):
        path = tmp_path / seed / "figure.svg"
        path.parent.mkdir()
        subprocess.run([sys.executable, "-c", code, path], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        made.append((path.read_bytes(), path.with_suffix(".pdf").read_bytes()))
    assert made[0] == made[1]


@pytest.mark.slow
def test_figures_are_the_same_to_the_byte_when_drawn_again(results, study, tmp_path):
    again = tmp_path / "again"
    ignored = shutil.ignore_patterns("*.svg", "*.pdf", "*.png", "*.html")
    shutil.copytree(results, again, ignore=ignored)
    write_study_figures(study, again)
    write_patient_figures(study, again, EVALUABLE)
    made = [path for folder in ("figures", f"patients/{EVALUABLE}") for path in (again / folder).iterdir()]
    drawn = [(path, results / path.relative_to(again)) for path in made if path.suffix != ".md"]
    assert {path.suffix for path, _ in drawn} == {".svg", ".pdf", ".png"}
    assert [path.name for path, before in drawn if path.read_bytes() != before.read_bytes()] == []


@pytest.mark.slow
def test_panels_and_what_is_written_beside_them_do_not_overlap(results, many_arms, study, six_arms, monkeypatch):
    laid_out = []

    def lay_out_and_measure(figure):
        columns = lay_out(figure)
        panels = [axes for axes in figure.axes if axes.get_subplotspec()]
        renderer = RendererSVG(*figure.bbox.size, StringIO())
        boxes = [axes.get_tightbbox(renderer, for_layout_only=True) for axes in panels]
        boxes += [legend.get_window_extent(renderer) for legend in figure.legends if panels]
        laid_out.append(len(panels))
        for box in boxes:
            assert 0 <= box.x0 < box.x1 <= figure.bbox.width
            assert figure.subplotpars.bottom * figure.bbox.height <= box.y0 < box.y1 <= figure.bbox.height
        for one, other in combinations(boxes, 2):
            assert Bbox.intersection(one, other) is None
        for left, top, width, height in columns:
            assert 0 <= left < left + width <= figure.bbox.width + 0.01
            assert 0 <= top < top + height <= figure.bbox.height
        return columns

    monkeypatch.setattr(canvas, "lay_out", lay_out_and_measure)
    for folder, of_study, subject in ((results, study, EVALUABLE), (many_arms, six_arms, f"p{PERSONAL[0]:06d}")):
        write_study_figures(of_study, folder)
        write_patient_figures(of_study, folder, subject)
    assert len(laid_out) == 2 * (len(STUDY_FIGURES) + len(PATIENT_FIGURES))
    assert sum(n > 3 for n in laid_out) > 10


def test_every_figure_and_page_of_simulated_patients_says_so(results):
    for path in figure_paths(results):
        texts = [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]
        assert "Simulated patients: not a clinical result" in texts
    for path in page_paths(results):
        assert "Simulated patients: nothing here is a clinical result." in Page(path).words


@pytest.mark.slow
def test_nothing_of_recorded_patients_says_simulated(study, tmp_path):
    recorded = dataclasses.replace(study, source=dataclasses.replace(study.source, kind="physionet"))
    write_results(tmp_path, recorded, personal=PERSONAL[:1], unevaluable=())
    write_study_figures(recorded, tmp_path)
    write_page(tmp_path / "report.html", recorded, tmp_path)
    for path in figure_paths(tmp_path):
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
