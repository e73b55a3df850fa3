"""Disclosure control of a published table: rounded counts, and no statistic of too few people.

Rounding every count, and not only hiding the small ones, also protects those that could be found by subtracting one
row or column from another (complementary disclosure; Hundepool et al., Statistical Disclosure Control, 2012, ch. 5).
"""

from collections.abc import Sequence

from kalemia.report.formatting import MISSING, median_iqr

CELL = 5  # people, draws or beats
FEW = f"fewer than {CELL}"
FEW_PEOPLE = "too few people"


def rounded_count(n: int | None) -> str:
    """A count to the nearest `CELL`; ``fewer than 5`` below it, and 0 too, since "nobody" is also about each person.

    >>> rounded_count(4), rounded_count(7), rounded_count(1234)
    ('fewer than 5', '5', '1,235')
    """
    if n is None:
        return MISSING
    return FEW if n < CELL else f"{_rounded(n):,}"


def rounded_share(n: int | None, of: int) -> str:
    """A rounded count with its share of the rounded total; both groups, those in and those out, must be large enough.

    Nobody outside is too few: "all" is about each person, as "nobody" is.

    >>> rounded_share(17, 24), rounded_share(22, 24)
    ('15 (60%)', 'not shown')
    """
    if n is None:
        return MISSING
    if n < CELL:
        return FEW
    if of - n < CELL:
        return "not shown"
    return f"{_rounded(n):,} ({_rounded(n) / _rounded(of):.0%})"


def quartiles(values: Sequence[float | None], n: int) -> str:
    """Median and quartiles, if each quarter has at least `CELL` of the `n` people."""
    return median_iqr(values) if n >= 4 * CELL else FEW_PEOPLE


def enough(n: int | None) -> bool:
    """Whether a mean or an AUC over `n` people may be shown."""
    return n is not None and n >= CELL


def _rounded(n: int) -> int:
    return CELL * ((n + CELL // 2) // CELL)
