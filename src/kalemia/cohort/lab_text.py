"""What the text of laboratory rows says about their values: bounds, units, hemolysis and contradictions."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kalemia.core.config import Analyte

_COMPARATOR = "(?i)[<>\u2264\u2265]|greater|less"
_HEMOLYSIS = "(?i)ha?emoly[sz]"
_NO_HEMOLYSIS = (
    r"(?i)\b(?:no|not|non|without|free of)[\s-]+(?:\w+\s+)?ha?emoly[sz]\w*"
    r"|\b(?:non|un)ha?emoly[sz]\w*"
    r"|ha?emoly[sz]\w*\s*[:=]\s*(?:no|none|nil|absent|negative|0)\b"
    r"|ha?emolysis\s+(?:none|nil|absent|negative)\b"
)
_NUMBER = r"(?P<number>[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?)"
_SAID = r"[\pL\pN]"  # a text of signs alone, such as ___ where something was removed, says nothing
# Ions of one charge, of which a millimole is a milliequivalent; of calcium or magnesium it is two.
_SINGLY_CHARGED = ("potassium", "sodium", "chloride", "bicarbonate", "lithium")
_AMOUNTS_PER_LITER = ("meq/l", "mmol/l")
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
    own = "".join(analyte.unit.lower().split())
    is_singly_charged = any(ion in analyte.name.lower() for ion in _SINGLY_CHARGED)
    same = _AMOUNTS_PER_LITER if is_singly_charged and own in _AMOUNTS_PER_LITER else (own,)
    plain = pc.utf8_lower(pc.replace_substring_regex(units, r"\s+", ""))
    return pc.and_(pc.not_equal(plain, ""), pc.invert(pc.is_in(plain, pa.array(same)))).fill_null(False).to_numpy()


def _matches(text: pa.ChunkedArray, pattern: str) -> np.ndarray:
    return pc.match_substring_regex(text, pattern).fill_null(False).to_numpy()
