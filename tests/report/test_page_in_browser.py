"""The pages in a real browser: quiet, self-contained, readable by everybody, and their tables sort and download."""

import csv
import time
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest

from browser import MISSING, headless_browser
from excerpt_rows import excerpt
from kalemia.beats.review_decisions import ReviewDecision, read_review_decisions
from kalemia.beats.segment_beats import BeatSettings, write_beats
from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.tables import table_from_rows, write_table
from kalemia.report.figures.palette import LIGHT
from kalemia.report.patient_page import write_patient_page
from kalemia.report.review_page import write_review
from kalemia.report.study_page import write_page
from kalemia.report.write_outputs import write_patient_figures, write_study_figures
from report_fixture import PERSONAL, write_results

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"{' and '.join(MISSING)} not found (Debian packages chromium, chromium-driver)"
    ),
]
AXE = find_spec("axe_core_python")
WIDE, NARROW = 1280, 390
TAB, ENTER = "\ue004", "\ue007"
# Not the parts of an image: it is read as one by its label, and the colors of figures are tested with the palette.
OF_PAGE = '{exclude: [["svg[role=img] > *"]]}'
SCREENS, SCREEN = 6, (1280, 800)  # the page with its folds closed takes at most so many windows
LOOKS = list(product((WIDE, NARROW), (False, True)))


@pytest.fixture(scope="module")
def pages(tmp_path_factory, study):
    """The study's page, and one patient's."""
    folder = tmp_path_factory.mktemp("pages")
    subject = write_results(folder, study, personal=PERSONAL[1:])[0]
    write_study_figures(study, folder)
    write_page(folder / "report.html", study, folder)
    write_patient_figures(study, folder, subject)
    patient = folder / "patients" / subject / "report.html"
    write_patient_page(patient, study, folder, subject)
    return {"study": folder / "report.html", "patient": patient}


@pytest.fixture(scope="module")
def browser():
    with headless_browser() as started:
        yield started


@pytest.fixture(scope="module")
def review(tmp_path_factory, study):
    """The page of the review, with one draw of subject 7."""
    folder = tmp_path_factory.mktemp("review")
    excerpts, shard, quality = (folder / f"p000007{end}.parquet" for end in ("", ".beats", ".quality"))
    write_table(excerpts, "excerpts", table_from_rows("excerpts", [excerpt(1)]))
    write_beats(excerpts, BeatSettings.from_study(study), {}, "", shard, quality)
    write_review([quality], folder, SubjectNames(), study, folder / "review.html")
    return folder / "review.html"


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_clicks_on_a_strip_of_the_review_become_marks_in_its_line(browser, review, width):
    browser.open(review, width=width)
    line = browser.run(
        """const strip = document.querySelector("svg[data-line]"), box = strip.getBoundingClientRect();
        for (const share of [0.2, 0.1, 0.5, 0.3, 0.1])
          strip.dispatchEvent(new MouseEvent("click", {clientX: box.left + share * box.width}));
        return [strip.dataset.from, document.getElementById("line-1").textContent];"""
    )
    start = float(line[0])
    assert line[1].startswith("7,1,accept,,,")
    marks_s = [float(text) for text in line[1].removeprefix("7,1,accept,,,").split()]
    assert marks_s == pytest.approx([start + 2, start + 3, start + 5], abs=0.02)
    assert browser.run("return document.querySelectorAll('.set').length") == 3
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.console() == []


def test_excerpts_are_decided_by_key_and_button_and_saved(browser, review, tmp_path):
    browser.open(review)
    browser.allow_downloads(tmp_path)
    line, said = (
        "return document.getElementById('line-1').textContent",
        "return document.getElementById('progress').value",
    )
    browser.press("r")
    assert browser.run(line) == "7,1,reject,,,"
    assert browser.run(said) == "0 accepted, 1 rejected, 0 to decide"
    browser.run("document.getElementById('download').click()")
    assert browser.run(said).startswith("Write your name first")
    browser.press("A", "d", "a")  # the name: no decisions by key while it is written
    browser.run("document.querySelector('[data-decision=accept]').click()")
    assert browser.run(line) == "7,1,accept,Ada,,"
    browser.run("document.getElementById('download').click()")
    path, until = tmp_path / "review.csv", time.monotonic() + 30
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    decided = read_review_decisions(path, 10.0)
    assert decided == {7: {1: ReviewDecision("accept", "Ada", "")}}


def test_excerpts_are_filtered_by_reason_and_hide_the_value_until_asked(browser, review):
    browser.open(review)
    shown = "return document.querySelectorAll('.excerpt:not([hidden])').length"
    choose = """const reason = document.getElementById("reason");
        reason.value = arguments[0];
        reason.dispatchEvent(new Event("change"))"""
    reason = browser.run("return document.querySelector('.excerpt').dataset.reason")
    assert reason == "kept"
    browser.run(choose, reason)
    assert browser.run(shown) == 1
    browser.run("document.getElementById('reason').append(new Option('another', 'another'))")
    browser.run(choose, "another")
    assert browser.run(shown) == 0
    visible = "return document.querySelector('.excerpt .value').checkVisibility()"
    browser.run(choose, "")
    assert not browser.run(visible)
    browser.run("document.getElementById('values').click()")
    assert browser.run(visible)


@pytest.fixture(params=["study", "patient"])
def page(request, pages):
    return pages[request.param]


def test_pages_say_nothing_to_the_console_and_ask_for_nothing(browser, page):
    browser.open(page)
    assert browser.requested() == [page.absolute().as_uri()]
    assert browser.console() == []


def test_pages_never_scroll_sideways_on_a_phone(browser, page):
    browser.open(page, NARROW)
    width, window = browser.run("const page = document.documentElement; return [page.scrollWidth, page.clientWidth]")
    assert width <= window <= NARROW


def test_every_image_says_what_it_shows(browser, page):
    browser.open(page)
    script = """return [...document.querySelectorAll("img, svg, canvas")]
        .filter((image) => !image.closest("[aria-hidden=true]") && !image.parentElement.closest("svg"))
        .map((image) => image.getAttribute("role") + " " + image.getAttribute("aria-label"))"""
    images = browser.run(script)
    assert len(images) >= 5
    assert all(text.startswith("img ") and len(text) > 20 for text in images)


@pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed")
@pytest.mark.parametrize("name", ["study", "patient", "review"])
def test_axe_finds_no_barrier_wide_or_narrow_light_or_dark(browser, pages, review, name):
    page = (pages | {"review": review})[name]
    rules = (Path(AXE.origin).parent / "axe.min.js").read_text("utf-8")
    for width, dark in LOOKS:
        browser.open(page, width, dark=dark)
        browser.run("for (const fold of document.querySelectorAll('details')) fold.open = arguments[0]", dark)
        browser.run(rules)
        found = browser.run(f"return axe.run({OF_PAGE}).then((result) => result.violations)")
        told = [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
        assert told == [], f"{width} px, dark: {dark}"


def test_the_dark_page_is_dark_and_the_light_one_light(browser, page):
    script = "return getComputedStyle(document.body).backgroundColor"
    grounds = []
    for dark in (False, True):
        browser.open(page, dark=dark)
        grounds.append(sum(map(int, browser.run(script).removeprefix("rgb(").removesuffix(")").split(","))))
    assert grounds[0] > 700
    assert grounds[1] < 150


def test_a_table_sorts_by_any_column_with_unknown_values_last(browser, pages):
    browser.open(pages["study"])
    column = """const [name, place] = arguments;
        return [...document.querySelectorAll(`#table-${name} tbody tr`)].map((row) => row.cells[place].textContent)"""
    click = """const head = document.querySelectorAll(`#table-${arguments[0]} thead tr:last-child th`)[arguments[1]];
        head.querySelector("button").click();
        return head.getAttribute("aria-sort")"""
    steps = [int(text.replace(",", "")) for text in browser.run(column, "included", 2)]
    assert browser.run(click, "included", 2) == "ascending"
    assert [int(text.replace(",", "")) for text in browser.run(column, "included", 2)] == sorted(steps)
    assert browser.run(click, "included", 2) == "descending"
    assert [int(text.replace(",", "")) for text in browser.run(column, "included", 2)] == sorted(steps, reverse=True)
    fourth = browser.run(column, "paper-rounds", 7)
    assert browser.run(click, "paper-rounds", 7) == "ascending"
    known = sum(text != "\N{EN DASH}" for text in fourth)
    assert 0 < known < len(fourth)
    assert set(browser.run(column, "paper-rounds", 7)[known:]) == {"\N{EN DASH}"}


def test_the_decisions_of_each_arm_sort_by_accuracy(browser, pages, study):
    browser.open(pages["study"])
    sort = """const table = document.querySelector(`#table-decisions-${arguments[0]}`);
        table.querySelectorAll("thead button")[1].click();
        return [...table.tBodies[0].rows].map((row) => Number(row.cells[1].textContent))"""
    for arm in study.arms:
        accuracies = browser.run(sort, arm)
        assert len(accuracies) == 4
        assert accuracies == sorted(accuracies)


def test_a_table_downloads_as_the_csv_of_what_it_shows(browser, pages, tmp_path):
    browser.open(pages["study"])
    browser.allow_downloads(tmp_path)
    browser.run("document.querySelector('#table-characteristics').closest('.table').querySelector('.csv').click()")
    path = tmp_path / "characteristics.csv"
    until = time.monotonic() + 30
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    columns = product(("Generic population", "Personal population"), ("this study", "Chiu 2022"))
    assert head == ["", *map(" ".join, columns)]
    assert ["Patients", "44", "1,439", "3", "16"] in rows
    assert ["Men, n (%)", "25 (56.8%)", "610 (59.6%)", "3 (100.0%)", "13 (81.2%)"] in rows  # without the note's letter
    assert {len(row) for row in rows} == {5}


def test_the_keyboard_reaches_the_content_and_the_navigation_marks_the_place(browser, pages):
    browser.open(pages["study"])
    browser.press(TAB)
    assert browser.run("return document.activeElement.textContent") == "Skip to the content"
    assert browser.run("return document.activeElement.getBoundingClientRect().top >= 0")
    browser.press(ENTER)
    assert browser.run("return document.activeElement.id") == "main"
    current = "return [...document.querySelectorAll('nav [aria-current]')].map((link) => link.hash)"
    assert browser.run(current) == ["#claims"]
    browser.run("document.querySelector('nav a[href=\"#generic\"]').focus()")
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    browser.press(ENTER)
    browser.run("return new Promise((done) => setTimeout(done, 300))")
    assert browser.run(current) == ["#generic"]
    browser.press(TAB)
    focused = "return document.querySelector('#generic').contains(document.activeElement)"
    assert browser.run(focused)  # the next stop lies in the section that the link led to


def test_the_essentials_fit_six_screens(browser, pages):
    browser.open(pages["study"], *SCREEN)
    assert browser.run("return document.documentElement.scrollHeight") <= SCREENS * SCREEN[1]
    answer = browser.run("return document.querySelector('.claims').getBoundingClientRect().bottom")
    assert answer < SCREEN[1]  # the answer and all claims stand on the first


def test_a_word_is_explained_by_the_keyboard_and_by_a_tap(browser, pages):
    shown = "return [...document.querySelectorAll('.meaning:popover-open')].map((meaning) => meaning.textContent)"
    for width in (WIDE, NARROW):
        browser.open(pages["study"], width)
        browser.run("document.querySelector('.term').focus()")
        browser.press(ENTER)
        (meaning,) = browser.run(shown)
        word = browser.run("return document.activeElement.textContent")
        assert meaning.startswith(f"{word}: ")
        box = browser.run("return document.querySelector('.meaning:popover-open').getBoundingClientRect().toJSON()")
        assert 0 <= box["left"] < box["right"] <= width
        browser.run("document.querySelectorAll('.term')[1].click()")
        assert len(browser.run(shown)) == 1


def test_a_link_unfolds_what_it_leads_to(browser, pages):
    browser.open(pages["study"])
    browser.run("document.querySelector('nav a[href=\"#paper_comparison\"]').click()")
    browser.run("document.querySelector('a[href=\"#table-improvement-accuracy\"]').click()")
    assert browser.run("return document.getElementById('table-improvement-accuracy').checkVisibility()")


def test_panels_stand_one_below_the_other_on_a_phone_and_what_scrolls_says_so(browser, pages):
    browser.open(pages["study"], NARROW)
    tops = browser.run(
        """return [...document.querySelectorAll(".stack > svg")].filter((part) => part.checkVisibility())
        .map((part) => part.getBoundingClientRect().top)"""
    )
    assert len(tops) == 2  # of Figure 1, which is not folded
    assert tops == sorted(set(tops))
    assert browser.run("return document.querySelector('.stack .wide').classList.contains('scrolls')")
    browser.open(pages["patient"], NARROW)
    title = browser.run("return document.querySelector('.stack p').getBoundingClientRect().toJSON()")
    assert 0 <= title["left"] < title["right"] <= NARROW  # of a figure of one column, which scrolls
    browser.open(pages["study"], WIDE)
    assert not browser.run("return document.querySelector('.stack').checkVisibility()")


def test_a_figure_is_saved_as_svg_and_png_in_light_colors(browser, pages, tmp_path):
    browser.open(pages["study"], dark=True)
    browser.allow_downloads(tmp_path)
    browser.run("for (const button of [...document.querySelectorAll('.files button')].slice(1, 3)) button.click()")
    paths, until = [tmp_path / f"figure-1.{kind}" for kind in ("svg", "png")], time.monotonic() + 30
    while not all(path.exists() for path in paths) and time.monotonic() < until:
        time.sleep(0.05)
    svg = paths[0].read_text()
    assert LIGHT["positive"] in svg
    assert "var(--" not in svg
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    link = browser.run("return document.querySelector('.files a').getAttribute('href')")
    assert (pages["study"].parent / link).exists()


def test_what_does_not_scroll_is_no_stop_of_the_tab_key(browser, pages):
    script = """return new Promise((done) => setTimeout(done, 200)).then(() =>
        [...document.querySelectorAll(".wide")].filter((wide) => wide.checkVisibility()).every(
            (wide) => (wide.scrollWidth > wide.clientWidth) === (wide.tabIndex === 0)))"""
    for width in (WIDE, NARROW):
        browser.open(pages["study"], width)
        assert browser.run(script)
