"""Build the documentation site in build/site from docs/ (`make docs`), and refuse broken links.

python tools/build_site.py --report demo=results/demo --report textbook=results/textbook

puts the reports of these finished studies into the gallery.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from docs_site.gallery import STUDIES, copy_reports, gallery_page
from docs_site.links import broken_links
from docs_site.pages import write_pages

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=ROOT / "build", help="folder for pages/ and site/ (default: build)")
    parser.add_argument("--report", action="append", default=[], metavar="NAME=RESULTS", help="for the gallery")
    options = parser.parse_args()
    reports = {name: Path(results) for name, _, results in (text.partition("=") for text in options.report)}
    if unknown := reports.keys() - STUDIES.keys():
        parser.error(f"--report {min(unknown)}: the gallery has {', '.join(STUDIES)}")
    for results in reports.values():
        if not (results / "report.html").exists():
            parser.error(f"{results}/report.html is not there; run the study first")
    sys.exit(build_site(options.to.resolve(), reports))


def build_site(folder: Path, reports: dict[str, Path]) -> str | int | None:
    """Write `folder`/pages and `folder`/site; what is wrong: a line for each broken link, or the builder's status."""
    pages, site = folder / "pages", folder / "site"
    write_pages(ROOT, pages)
    (pages / "gallery").mkdir()
    (pages / "gallery/index.md").write_text(gallery_page(reports), "utf-8")
    (pages / "files").mkdir(exist_ok=True)
    for name in ("site.css", "site.js"):
        shutil.copy(ROOT / "tools/docs_site" / name, pages / "files")
    shutil.copy(ROOT / "tools/docs_site/mkdocs.yml", folder)
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", folder / "mkdocs.yml"]
    if status := subprocess.run(command, check=False).returncode:
        return status
    copy_reports(reports, site / "gallery")
    return "\n".join(broken_links(site)) or None


if __name__ == "__main__":
    main()
