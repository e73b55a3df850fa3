"""The documentation site: its pages, its gallery, its links; the whole build where its builder is installed."""

import base64
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
import yaml

from browser import MISSING, headless_browser
from conftest import ROOT
from docs_site.gallery import STUDIES, copy_reports, gallery_page
from docs_site.links import broken_links
from docs_site.pages import notebook_page, write_pages
from kalemia.evaluation.claims.rule import CLAIMS

PICTURE = "demo/figures/figure-1.svg"
PNG = base64.encodebytes(bytes(90)).decode()


def test_every_page_of_the_docs_is_in_the_navigation_once():
    nav = yaml.safe_load((ROOT / "tools/docs_site/mkdocs.yml").read_text())["nav"]
    listed = re.findall(r"[\w/-]+\.md", json.dumps(nav))
    docs = ROOT / "docs"
    pages = [path for pattern in ("*.md", "*.ipynb") for path in docs.rglob(pattern)]
    named = [path.relative_to(docs).with_suffix(".md").as_posix() for path in pages]
    assert sorted(listed) == sorted([*named, "gallery/index.md"])


def test_every_page_is_reached_from_the_overview():
    linked = set(re.findall(r"\]\(([\w/-]+\.(?:md|ipynb))\)", (ROOT / "docs/index.md").read_text()))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.*")}
    assert linked == {page for page in pages if page.endswith((".md", ".ipynb"))} - {"index.md"}


def test_a_notebook_becomes_a_page_with_its_outputs():
    figure = {"output_type": "display_data", "metadata": {}, "data": {"image/png": PNG}}
    value = {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": ["42"]}}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Text"]},
        {"cell_type": "code", "source": ["print(1)"], "outputs": [{"output_type": "stream", "text": ["1\n"]}, value]},
        {"cell_type": "code", "source": ["plot()"], "outputs": [figure]},
    ]
    page = notebook_page({"cells": cells})
    assert page.startswith("# Title\nText\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n```text\n42\n```\n\n")
    assert page.endswith(f"](data:image/png;base64,{base64.b64encode(bytes(90)).decode()})\n")


def test_files_outside_the_docs_come_along_and_notebooks_are_linked_as_pages(tmp_path):
    docs = tmp_path / "project/docs"
    (docs / "reference").mkdir(parents=True)
    (tmp_path / "project/config.yaml").write_text("seed: 1\n")
    notebook = {"cells": [{"cell_type": "markdown", "source": ["# First\n\nSee [page](page.md#here)."]}]}
    (docs / "first.ipynb").write_text(json.dumps(notebook))
    (docs / "page.md").write_text("[first](first.ipynb), [web](https://example.org/a.ipynb), [here](#here)\n")
    (docs / "reference/keys.md").write_text("[settings](../../config.yaml), [security](../../SECURITY.md)\n")
    (tmp_path / "project/SECURITY.md").write_text("[page](docs/page.md#here), [again](SECURITY.md)\n")
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "old.md").write_text("a page of an earlier build\n")
    write_pages(tmp_path / "project", pages)
    assert (pages / "page.md").read_text() == "[first](first.md), [web](https://example.org/a.ipynb), [here](#here)\n"
    assert (
        pages / "reference/keys.md"
    ).read_text() == "[settings](../files/config.yaml), [security](../files/SECURITY.md)\n"
    assert (pages / "files/SECURITY.md").read_text() == "[page](../page.md#here), [again](SECURITY.md)\n"
    assert (pages / "files/config.yaml").read_text() == "seed: 1\n"
    text = "# First\n\n[Download this notebook](first.ipynb)\n\nSee [page](page.md#here).\n"
    assert (pages / "first.md").read_text() == text
    assert (pages / "first.ipynb").exists()
    assert not (pages / "old.md").exists()


@pytest.fixture
def results(tmp_path):
    return make_results(tmp_path)


def make_results(parent):
    """A results folder with a report of two pages, and what does not belong to it."""
    folder = parent / "results"
    for name in ("patients/p000001", "evaluation", "figures"):
        (folder / name).mkdir(parents=True)
    (folder / "report.html").write_text(
        '<a href="patients/p000001/report.html#top">1</a><a href="../secret.html">2</a>'
    )
    (folder / "patients/p000001/report.html").write_text(
        '<p id="top"><img src="../../figures/a.svg"></p><svg data-pdf="a.pdf"/>'
    )
    (folder / "patients/p000001/a.pdf").write_text("of a button of the page")
    (folder / "figures/a.svg").write_text("<svg/>")
    (folder / "figures/figure-1.svg").write_text("<svg/>")
    (folder / "figures/unused.svg").write_text("<svg/>")
    (parent / "secret.html").write_text("no part of the report")
    states = dict(zip(CLAIMS, ("shown", "open", "open", "open"), strict=True))
    claims = {"arm": "rolling", "arms": {"rolling": {name: {"state": state} for name, state in states.items()}}}
    (folder / "evaluation/claims.json").write_text(json.dumps(claims))
    return folder


def test_a_report_is_copied_with_all_that_it_leads_to_and_nothing_else(results, tmp_path):
    copy_reports({"demo": results}, tmp_path / "gallery")
    copied = {path.relative_to(tmp_path / "gallery").as_posix() for path in (tmp_path / "gallery").rglob("*.*")}
    patient = {"demo/patients/p000001/report.html", "demo/patients/p000001/a.pdf"}
    assert copied == {"demo/report.html", *patient, "demo/figures/a.svg", PICTURE}
    assert broken_links(tmp_path / "gallery") == ["demo/report.html: ../secret.html"]


def test_the_gallery_gives_the_claims_of_each_study_and_names_those_left_out(results):
    page = gallery_page({"demo": results})
    assert "Claims: *reads* shown, *personal* open, *needs network* open, *adds* open." in page
    assert 'href="demo/report.html"' in page
    assert f'src="{PICTURE}"' in page
    assert f"Not built this time: {', '.join(list(STUDIES)[1:])}." in page


def test_a_link_to_a_missing_file_or_anchor_is_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/index.html").write_text(
        '<h2 id="here">A</h2><a href="../b.html#there">1</a><a href=https://x.org>2</a>'
    )
    (tmp_path / "b.html").write_text(
        '<a href="a/#here">1</a><a href="a/#gone">2</a><img src="c.png"><a href="#top">3</a>'
    )
    assert broken_links(tmp_path) == [
        "a/index.html: ../b.html#there",
        "b.html: #top",
        "b.html: a/#gone",
        "b.html: c.png",
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site, with a report that has no broken link."""
    if find_spec("zensical") is None:
        pytest.skip("needs the extra `docs`")
    folder = tmp_path_factory.mktemp("build")
    report = make_results(folder)
    (report / "report.html").write_text('<a href="patients/p000001/report.html#top">1</a>')
    command = [sys.executable, "tools/build_site.py", "--to", str(folder), "--report", f"demo={report}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "site"


def test_the_site_builds_without_a_broken_link_and_can_be_searched(site):
    assert (site / "notebooks/first-beats/index.html").exists()
    assert "hemolysis" in (site / "search.json").read_text()


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_axe_finds_no_barrier_in_the_site(site):
    rules = (Path(find_spec("axe_core_python").origin).parent / "axe.min.js").read_text("utf-8")
    with headless_browser() as browser:
        for page, dark in product(
            ("index.html", "method/index.html", "notebooks/first-beats/index.html"), (False, True)
        ):
            browser.open(site / page, 1280, 900, dark)
            browser.run(rules)
            found = browser.run("return axe.run().then((result) => result.violations)")
            assert [violation["id"] for violation in found] == []
            assert all(url.startswith("file:") for url in browser.requested())
