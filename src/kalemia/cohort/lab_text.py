"""What the text of laboratory rows says about their values: bounds, units, hemolysis and contradictions."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import Analyte

_COMPARATOR = "(?i)[<>\u2264\u2265]|greater|less"
# hemolytic anemia is a disease
_HEMOLYSIS = (
    r"(?i)ha?emoly[sz]|ha?emolytic\s+(?:sample|specimen|serum)|(?:slight|moderate|marked|gross)(?:ly)?\s+ha?emolytic"
)
# only words of degree or evidence may stand between: "not done, hemolyzed" is hemolyzed
_BETWEEN = (
    r"(?:(?:any|gross|marked|moderate|slight|significant|obvious|apparent|visibl|evident|detectable)(?:e|ly|y)?"
    r"|evidence\s+of|signs?\s+of|traces?\s+of)\s+"
)
_NONE = r"(?:none|nil|absent|negative|neg|not?\s+(?:detected|present|seen|noted|observed|evident|visible|found))"
_NO_HEMOLYSIS = (
    rf"(?i)\b(?:no|not|non|without|free of)[\s-]+(?:{_BETWEEN})*ha?emoly[sz]\w*"
    r"|\b(?:non|un)ha?emoly[sz]\w*"
    rf"|ha?emoly[sz]\w*(?:\s+index)?\s*[:=-]\s*(?:{_NONE}|no|n|false|f|0)\b"
    rf"|ha?emolysis(?:\s+index)?\s+(?:{_NONE}|0)\b"
)
_NUMBER = r"(?P<number>[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?)"
_SAID = r"[\pL\pN]"  # a text of signs alone, such as ___ where something was removed, says nothing
# Ions of one charge, of which a millimole is a milliequivalent; of calcium or magnesium it is two.
_SINGLY_CHARGED = ("potassium", "sodium", "chloride", "bicarbonate", "lithium")
_AMOUNTS_PER_LITER = tuple(f"{amount}/{volume}" for amount in ("meq", "mmol") for volume in ("l", "liter", "litre"))
_LARGEST_ROUNDING = 0.05 + 1e-9  # of a number to one decimal


def has_comparator(text: pa.ChunkedArray) -> np.ndarray:
    """Whether each text holds a bound, as ``>10`` does: bool (n,)."""
    return _matches(text, _COMPARATOR)


def mentions_hemolysis(text: pa.ChunkedArray) -> np.ndarray:
    """Whether each text says that the specimen was hemolyzed, and not that it was not: bool (n,)."""
    return _matches(pc.replace_substring_regex(text, _NO_HEMOLYSIS, ""), _HEMOLYSIS)


def contradicts(text: pa.ChunkedArray, values: np.ndarray) -> np.ndarray:
    """Whether each text says something else than its value (n,): another number, or words without any; bool (n,).

    Texts with a bound or a word about hemolysis are no contradiction, and neither is rounding to one decimal.
    """
    number = pc.struct_field(pc.extract_regex(text, f"^[^0-9]*?{_NUMBER}"), "number")
    number = pc.replace_substring(number, ",", ".").cast(pa.float64())
    other = np.nan_to_num(np.abs(number.to_numpy() - values), nan=np.inf) > _LARGEST_ROUNDING
    said = _matches(text, _SAID) & ~has_comparator(text) & ~_matches(text, _HEMOLYSIS)
    return said & other & ~np.isnan(values)


def is_other_unit(units: pa.ChunkedArray, analyte: Analyte) -> np.ndarray:
    """Whether each unit is another than the analyte's, whatever the case of letters and the spaces; bool (n,).

    An empty unit counts as the analyte's. mmol/L and mEq/L are one unit for ions of one charge.
    """
    same = pa.array(_same_units(analyte))
    plain = pc.utf8_lower(pc.replace_substring_regex(units, r"\s+", ""))
    return pc.and_(pc.not_equal(plain, ""), pc.invert(pc.is_in(plain, same))).fill_null(False).to_numpy()


def units_in_words(analyte: Analyte) -> str:
    """The units in which `is_other_unit` takes values, for a message."""
    return "mEq/L or mmol/L" if len(_same_units(analyte)) > 1 else analyte.unit


def _same_units(analyte: Analyte) -> tuple[str, ...]:
    """The spellings of the analyte's unit, in lower case and without spaces."""
    own = "".join(analyte.unit.lower().split())
    is_singly_charged = any(ion in analyte.name.lower() for ion in _SINGLY_CHARGED)
    return _AMOUNTS_PER_LITER if is_singly_charged and own in _AMOUNTS_PER_LITER else (own,)


def _matches(text: pa.ChunkedArray, pattern: str) -> np.ndarray:
    return pc.match_substring_regex(text, pattern).fill_null(False).to_numpy()
