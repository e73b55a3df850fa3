"""What a section of the study's page declares (title, figures, CSV tables, builder), and its footnotes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, NamedTuple

from kalemia.core.config import Study
from kalemia.report.results import StudyResults

if TYPE_CHECKING:
    from kalemia.report.inputs import PatientResults


class Mark(NamedTuple):
    """A raised letter, and the id of the note that it refers to."""

    letter: str
    target: str


class Notes:
    """The notes of the section `section`; equal texts share a letter."""

    def __init__(self, section: str):
        self._section = section
        self._marks: dict[str, Mark] = {}

    def mark(self, text: str) -> Mark:
        """The mark that refers to `text`."""
        letter = ascii_lowercase[len(self._marks)] if text not in self._marks else self._marks[text].letter
        return self._marks.setdefault(text, Mark(letter, f"note-{self._section}-{letter}"))

    @property
    def texts(self) -> dict[str, Mark]:
        """Every note so far with its mark."""
        return dict(self._marks)


@dataclass(frozen=True)
class Figure:
    """A figure, written as {name}.svg, {name}.pdf and in the other `formats`.

    caption: a sentence, the title of the figure; a screen reader says it and Snakemake's own report prints it.
    draw: module and function below `kalemia.report.figures`, called with the paths of the files, caption, study,
    results and `options`. A name in place of the function, so that whoever only lists figures does not wait for
    matplotlib.
    """

    name: str
    caption: str
    draw: str
    options: Mapping[str, Any] = field(default_factory=dict)
    formats: tuple[str, ...] = ("svg", "pdf")  # of files; a page makes a PNG of any figure

    def write(self, folder: Path, study: Study, results: "StudyResults | PatientResults") -> None:
        """Draw the figure into `folder`."""
        module, function = self.draw.split(".")
        draw = getattr(import_module(f"kalemia.report.figures.{module}"), function)
        paths = [folder / f"{self.name}.{kind}" for kind in self.formats]
        draw(paths, self.caption, study, results, **self.options)


@dataclass(frozen=True)
class Section:
    """One section of the study's page.

    place: where it stands on the page, smaller numbers first.
    build: what fills the section's template, by name.
    tables: tables of evaluation/ that become tables/{name}.csv, with a caption of one line each.
    is_personal: whether it is about personal networks alone, and so is left out where nobody has one.
    gist: what the section answers, in one line beside its title while it is folded; a section without one is always
    open.
    """

    place: int
    title: str
    build: Callable[[Study, StudyResults, Notes], dict]
    figures: tuple[Figure, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    is_personal: bool = False
    gist: str = ""
