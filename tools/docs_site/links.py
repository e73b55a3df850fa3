"""Find links of a built site that lead nowhere: to no file, or to no anchor in it."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

_LINK = re.compile(r"<(?:a|link|img|script|iframe)\b[^>]*?\b(?:href|src)=\"?([^\"\s>]+)", re.IGNORECASE)
_ANCHOR = re.compile(r"\b(?:id|name)=\"?([^\"\s>]+)", re.IGNORECASE)
_ELSEWHERE = re.compile(r"^(?:[a-z]+:|//)", re.IGNORECASE)  # https:, mailto:, data:


def broken_links(site: Path) -> list[str]:
    """A line `page: link` for each broken link of the HTML pages below `site`; those of 404.html are absolute."""
    anchors = cache(_anchors)
    broken = []
    for page in sorted(site.rglob("*.html")):
        if page.name != "404.html":
            links = sorted(set(_LINK.findall(page.read_text("utf-8"))))
            broken += [
                f"{page.relative_to(site)}: {link}" for link in links if not _leads_somewhere(page, link, anchors)
            ]
    return broken


def _leads_somewhere(page: Path, link: str, anchors) -> bool:
    if _ELSEWHERE.match(link):
        return True
    path, _, anchor = unquote(link.replace("&amp;", "&")).partition("#")
    target = page.parent / path.partition("?")[0] if path else page
    if target.is_dir():
        target /= "index.html"
    return target.is_file() and (not anchor or target.suffix != ".html" or anchor in anchors(target))


def _anchors(page: Path) -> frozenset[str]:
    return frozenset(_ANCHOR.findall(page.read_text("utf-8")))
