"""What both kinds of page share: rendering a template, and taking a figure into the page."""

import csv
import re
import xml.etree.ElementTree as ET
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from kalemia.cohort.subject_names import SubjectNames
from kalemia.core.errors import UserError
from kalemia.core.files.atomic import atomic_file
from kalemia.core.wording import bounds, list_counts, plural
from kalemia.report.figures.palette import DARK, LIGHT
from kalemia.report.formatting import count, interval, mean_sd, number, percent, signed_interval

FOLDER = Path(__file__).parent
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def write_html(path: str | Path, template: str, **values) -> None:
    """Render one of the templates beside this module to `path`, whole or not at all."""
    css, script = (Markup((FOLDER / name).read_text("utf-8")) for name in ("report.css", "report.js"))
    with atomic_file(path) as beside:
        page = rendered(template, css=css, script=script, light=LIGHT, dark=DARK, glossary=glossary(), **values)
        beside.write_text(page, "utf-8")


def rendered(template: str, **values) -> Markup:
    """One of the templates beside this module, or below it, filled with `values`."""
    return Markup(_environment().get_template(template).render(**values))


@cache
def glossary() -> dict[str, str]:
    """The words that pages explain, with their meaning."""
    text = files("kalemia").joinpath("data/glossary.csv").read_text("utf-8")
    return {row["word"]: row["meaning"] for row in csv.DictReader(text.splitlines())}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        count=count,
        mean_sd=mean_sd,
        percent=percent,
        bounds=bounds,
        interval=interval,
        signed_interval=signed_interval,
        shown=_shown,
        plural=plural,
        list_counts=list_counts,
    )
    return environment


@jinja2.pass_context
def _shown(context: jinja2.runtime.Context, subject: str) -> str:
    """How people call a subject, by the `names` that the page is made with."""
    return context["names"][subject]


def inline_svg(path: str | Path, names: SubjectNames | None = None, *, pdf: str) -> Markup:
    """A SVG figure of this package as part of a page, which offers the link `pdf` beside it.

    Its colors become the page's variables, so that they follow light and dark; its ids get the file's name, so that
    they differ from other figures'; lines with an id ``line-{subject}-...`` answer the pointer with the subject's name.
    """
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError):
        raise UserError(f"{path}: cannot be read as SVG; delete it and run again") from None
    title = root.find(f"{{{_SVG}}}title")
    root.set("data-name", Path(path).stem)
    root.set("data-pdf", pdf)
    root.set("role", "img")
    root.set("aria-label", title.text)
    for part in (title, root.find(f"{{{_SVG}}}metadata")):
        root.remove(part)
    for size in ("width", "height", "version"):
        del root.attrib[size]
    _answer_pointer(root, names or SubjectNames())
    text = ET.tostring(root, encoding="unicode")
    return Markup(_with_variables(_with_own_ids(text, Path(path).stem)))


def _answer_pointer(root: ET.Element, names: SubjectNames) -> None:
    for group in root.iter(f"{{{_SVG}}}g"):
        name = group.get("id", "").split("-")
        if name[0] == "line":
            group.set("class", "line")
            ET.SubElement(group, f"{{{_SVG}}}title").text = names[name[1]]


def _with_own_ids(svg: str, name: str) -> str:
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'\bxlink:href="#', f'xlink:href="#{name}-', svg)
    return re.sub(r"url\(#", f"url(#{name}-", svg)


def _with_variables(svg: str) -> str:
    name_of = {color: name for name, color in LIGHT.items()}
    return re.sub(r"#[0-9a-f]{6}\b", lambda m: f"var(--{name_of[m[0]]})" if m[0] in name_of else m[0], svg)
