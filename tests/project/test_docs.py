import re

from conftest import ROOT
from kalemia.core.schemas import ALL_TABLES, TABLES

LINK = r"\]\((?!https?:|\.\./\.\./actions/)([^)#]*)(#([^)]+))?\)"  # not of the web, nor of the repository's site


def test_every_column_of_every_table_is_described():
    for table in TABLES.values():
        assert len(table.doc) > 0
        for column in table.columns:
            assert column.doc, f"{table.kind}: {column.name}"
            assert "|" not in column.doc


def test_no_two_tables_are_of_one_kind():
    assert sorted(TABLES) == sorted(table.kind for table in ALL_TABLES)


def test_every_link_of_the_readme_and_the_docs_leads_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target, _, anchor in re.findall(LINK, page.read_text()):
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in _anchors(linked.read_text()), f"{page.name}: {target}#{anchor}"


def _anchors(markdown):
    """The anchors of the headings, by GitHub's rule and the site's."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_a_random_choice_of_test_draws_is_told_as_a_reading_of_the_paper():
    method = " ".join((ROOT / "docs/method.md").read_text().split())
    assert "The paper does not say how its quarter was chosen; at random and by class is our reading" in method
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.*")):
        assert page.suffix == ".png" or not re.search(r"paper's random|Chiu[^.]*random split", page.read_text()), page


def test_the_old_verdict_is_named_only_in_its_history_note():
    method, history = (ROOT / "docs/method.md").read_text().split("**History.**")
    note, rest = history.split("\n\n", 1)
    assert "supported, not supported, cannot be told" in note
    pages = {path.name: path.read_text() for path in (ROOT / "docs").rglob("*.md")} | {"method.md": method + rest}
    pages |= {path.name: path.read_text() for path in (ROOT / "src/kalemia/report").rglob("*.html")}
    pages |= {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")}
    for name, text in pages.items():
        assert not re.search(r"\bsupported\b|\bthe verdict\b|best baseline", text), name


def test_the_page_on_tripod_ai_leads_to_the_list():
    assert "(../src/kalemia/data/tripod_ai.csv)" in (ROOT / "docs/tripod-ai.md").read_text()
