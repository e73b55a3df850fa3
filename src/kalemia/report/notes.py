"""Footnotes of one section: a letter for each, in the order of first use."""

from string import ascii_lowercase
from typing import NamedTuple


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
