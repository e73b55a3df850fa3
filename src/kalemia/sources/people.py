"""What a source knows of its people, for the table of characteristics."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class People:
    """births, genders (M or F): by subject; ethnicities: subject, admission, and the ethnicity that it states."""

    births: dict[int, datetime | None]
    genders: dict[int, str | None]
    ethnicities: frozenset[tuple[int, int | None, str | None]] = frozenset()
