"""Results folders with figures and pages, shared by the tests of the report, and a parser of pages."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kalemia.report.patient_page import write_patient_page
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_patient_figures, write_study_figures
from report_fixture import PERSONAL, write_results

EVALUABLE, PARTLY = "p012108", "p013033"  # the second not in the forward arm
VOID = {"meta", "link", "br", "hr", "img", "input"}


@pytest.fixture(scope="session")
def results(tmp_path_factory, study):
    """A results folder with the study's page and two patients' pages."""
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, study)
    write_study_figures(study, folder)
    write_page(folder / "report.html", study, folder)
    for subject in (EVALUABLE, PARTLY):
        _write_patient(study, folder, subject)
    return folder


@pytest.fixture(scope="session")
def nobody(tmp_path_factory, study):
    """A results folder in which nobody is evaluable, with its pages."""
    folder = tmp_path_factory.mktemp("nobody")
    subjects = write_results(folder, study, personal=PERSONAL[:1], unevaluable=tuple(study.arms))
    write_study_figures(study, folder)
    write_page(folder / "report.html", study, folder)
    _write_patient(study, folder, subjects[0])
    return folder


@pytest.fixture(scope="session")
def without_personal(tmp_path_factory, study):
    """A results folder in which nobody has a personal network, with the study's page."""
    folder = tmp_path_factory.mktemp("generic")
    write_results(folder, study, personal=())
    write_study_figures(study, folder)
    write_page(folder / "report.html", study, folder)
    return folder


@pytest.fixture(scope="session")
def six_arms(study):
    """The study with more arms than there are colors for them, each evaluable in the made-up results."""
    forward = study.arms["forward"]
    more = dict.fromkeys(("replay", "frozen_norm", "head", "whole"), forward)
    return dataclasses.replace(study, arms=study.arms | more)


@pytest.fixture(scope="session")
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


def page_paths(folder):
    return sorted(folder.rglob("report.html"))


def figure_paths(folder):
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
