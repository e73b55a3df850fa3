"""The page of one patient, and reading the results of a study and a patient."""

import re
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pytest

from kalemia.core.errors import UserError
from kalemia.core.tables import read_table
from kalemia.report.formatting import METRIC_NAMES
from kalemia.report.html import inline_svg
from kalemia.report.inputs import read_explanations, read_patient, read_study
from kalemia.report.patient_page import write_patient_page
from kalemia.stats.draw_metrics import role_metrics
from report_fixture import N_ROUNDS, NO_FORWARD, PERSONAL
from report_pages import EVALUABLE, PARTLY, Page


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
    assert "not recording at the time (5)." in words
    assert f"Not evaluable: {NO_FORWARD}." in words


def test_mean_beats_are_those_of_labeled_draws_that_passed(results):
    patient = read_patient(results, EVALUABLE)
    assert patient.draw_beats_mv.shape == (22, 120)  # of 24, one excluded and one between the classes
    assert Counter(patient.draw_labels.tolist()) == {0: 11, 1: 11}
    assert np.all(patient.draw_beats_mv.argmax(axis=1) == 40)


def test_the_page_opens_with_a_sentence_and_leads_to_the_next_patient(results, study):
    page = Page(results / f"patients/{EVALUABLE}/report.html")
    arm = study.deciding_arm
    after, before = (
        sum(
            row["decision"] == row["label"]
            for row in read_table(
                results / f"personal/{arm}/{EVALUABLE}/round-{k}/predictions.parquet", "predictions"
            ).to_pylist()
            if row["role"] == "test"
        )
        for k in (N_ROUNDS, 0)
    )
    assert (
        f"This patient's own network decides {after} of 8 test draws correctly, the generic network {before} (arm"
        f" \N{LEFT DOUBLE QUOTATION MARK}{arm}\N{RIGHT DOUBLE QUOTATION MARK})."
    ) in page.words
    others = [f"p{subject:06d}" for subject in sorted(PERSONAL)]
    place = others.index(EVALUABLE)
    for other in (others[place - 1], others[place + 1]):
        assert f"../{other}/report.html" in page.targets
    assert (
        f"Not evaluable in the arm \N{LEFT DOUBLE QUOTATION MARK}{arm}"
        in Page(results / f"patients/{PARTLY}/report.html").words
    )


def test_a_patients_page_needs_no_other_patients_files(results, study, tmp_path):
    folder = tmp_path / "alone"
    others = [f"p{subject:06d}*" for subject in PERSONAL if f"p{subject:06d}" != EVALUABLE]
    shutil.copytree(results, folder, ignore=shutil.ignore_patterns("evaluation", "generic", *others))
    write_patient_page(tmp_path / "report.html", study, folder, EVALUABLE)
    assert (tmp_path / "report.html").read_bytes() == (results / f"patients/{EVALUABLE}/report.html").read_bytes()


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
        inline_svg(tmp_path / "none.svg", pdf="none.pdf")


def test_pages_are_written_without_matplotlib_and_torch():
    code = "import sys, kalemia.report.study_page, kalemia.report.patient_page; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "kalemia.report.study_page" in loaded
    assert not {"matplotlib", "torch", "scipy"} & set(loaded)
