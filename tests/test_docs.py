import re

from conftest import ROOT
from kalemia.schemas import SCHEMAS


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
