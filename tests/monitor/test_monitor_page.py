"""The page of a monitor in a real browser."""

from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest

from browser import MISSING, headless_browser
from kalemia.core.tables import read_table
from kalemia.monitor.monitor_record import PAGE, WINDOWS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"{' and '.join(MISSING)} not found (Debian packages chromium, chromium-driver)"
    ),
]
AXE = find_spec("axe_core_python")
OF_PAGE = '{exclude: [["svg[role=img] > *"]]}'
WIDTHS = (1280, 390)


@pytest.fixture(scope="module")
def browser():
    with headless_browser() as started:
        yield started


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_says_nothing_to_the_console_asks_for_nothing_and_fits(browser, monitored, width):
    page = monitored / PAGE
    browser.open(page, width)
    assert browser.requested() == [page.absolute().as_uri()]
    assert browser.console() == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
    text = browser.run("return document.body.textContent")
    assert "Research use only, not a medical device." in text
    assert "simulated" in text


def test_slider_and_click_choose_the_window_whose_beats_are_shown(browser, monitored):
    rows = read_table(monitored / WINDOWS, "monitor").to_pylist()
    browser.open(monitored / PAGE)
    said = """const slider = document.getElementById("window");
        slider.value = arguments[0];
        slider.dispatchEvent(new Event("input"));
        return [document.getElementById("said").textContent, document.querySelectorAll("#beat .mean").length];"""
    for i, row in enumerate(rows):
        text, n_beats = browser.run(said, i)
        assert text.startswith(f"Until {row['stop_s'] / 3600:.2f} h (2150-03-04 05:")
        assert (row["reason"] or f"probability {row['probability']:.3f}") in text
        assert n_beats == (row["reason"] is None)
    click = """const chart = document.getElementById("chart"), box = chart.getBoundingClientRect();
        const x = box.left + (box.width * (52 + 936 * arguments[0] / 24)) / 1000;
        chart.dispatchEvent(new MouseEvent("click", {clientX: x}));
        return document.getElementById("window").value;"""
    assert browser.run(click, 12.2) == "7"
    assert browser.run(click, 0.1) == "0"


def test_known_values_stand_beside_the_last_answer_before_them(browser, monitored):
    browser.open(monitored / PAGE)
    cells = """return [...document.querySelectorAll("#table-potassium tbody tr")]
        .map((row) => [...row.cells].map((cell) => cell.textContent))"""
    rows = read_table(monitored / WINDOWS, "monitor").to_pylist()
    before = next(row for row in rows if row["stop_s"] == 21 * 60)
    assert browser.run(cells) == [
        ["0.05", "4.4", "\N{EN DASH}", "no answer"],
        ["0.35", "5.9", f"{before['probability']:.2f}", "positive" if before["decision"] else "negative"],
    ]


@pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed")
def test_axe_finds_no_barrier_wide_or_narrow_light_or_dark(browser, monitored):
    rules = (Path(AXE.origin).parent / "axe.min.js").read_text("utf-8")
    for width, dark in product(WIDTHS, (False, True)):
        browser.open(monitored / PAGE, width, dark=dark)
        browser.run(rules)
        found = browser.run(f"return axe.run({OF_PAGE}).then((result) => result.violations)")
        told = [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
        assert told == [], f"{width} px, dark: {dark}"
