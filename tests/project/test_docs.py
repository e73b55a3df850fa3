import re

from conftest import ROOT
from kalemia.core.schemas import SCHEMAS
from kalemia.report import chiu2022 as paper


def test_every_column_of_every_table_is_documented():
    text = (ROOT / "docs/files.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(sections) >= len(SCHEMAS)
    for schema, section in zip(SCHEMAS.values(), sections, strict=False):
        assert re.findall(r"^\| `(\w+)`", section, flags=re.MULTILINE) == schema.names


def test_every_link_of_the_readme_and_the_docs_leads_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_papers_inconsistencies_are_those_of_the_report():
    _, listed = (ROOT / "docs/method.md").read_text().split("## The paper's own inconsistencies")
    found = [" ".join(item.split()) for item in listed.split("\n- ")[1:]]
    assert found == list(paper.DOUBTS)


def test_a_random_choice_of_test_draws_is_told_as_a_reading_of_the_paper():
    method = " ".join((ROOT / "docs/method.md").read_text().split())
    assert "and not how it was chosen; random, and by class, is how Kalemia reads it" in method
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.*")):
        assert page.suffix == ".png" or not re.search(r"paper's random|Chiu[^.]*random split", page.read_text()), page


def test_the_page_on_tripod_ai_leads_to_the_list():
    assert "(../src/kalemia/data/tripod_ai.csv)" in (ROOT / "docs/tripod-ai.md").read_text()
