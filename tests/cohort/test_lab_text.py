"""What text says about a value, in words and units as laboratories write them."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from kalemia.cohort.lab_text import contradicts, has_comparator, is_other_unit, mentions_hemolysis


def _of(judge, text, *more):
    return judge(pa.chunked_array([[text]], pa.string()), *more).tolist()[0]


@pytest.mark.parametrize(
    "text",
    [
        "HEMOLYZED", "hemolysed", "Haemolysed", "GROSSLY HEMOLYZED", "6.1 HEMOLYZED", "moderate haemolysis",
        "HEMOLYSIS FALSELY ELEVATES THIS RESULT.", "HEMOLYZED. NOT RECOLLECTED", "Hemolyzed\nspecimen",
        "NOT DONE HEMOLYZED", "non fasting hemolyzed", "slightly haemolytic", "hemolytic specimen",
        "hemolysis index 150",
        "no clot, hemolyzed", "first sample not hemolyzed, this one is hemolyzed",
    ],
)  # fmt: skip
def test_hemolysis_is_found(text):
    assert _of(mentions_hemolysis, text)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "abnormal", "NO HEMOLYSIS", "not hemolyzed", "non-hemolyzed", "nonhemolyzed", "No visible haemolysis",
        "not grossly hemolyzed", "No evidence of any significant hemolysis", "hemolysis not detected",
        "Hemolysis - none", "hemolyzed: false", "hemolysis index 0",
        "hemolysis: none", "Hemolysis = 0", "hemolysis absent", "without hemolysis", "hemolytic anemia",
    ],
)  # fmt: skip
def test_no_hemolysis_is_none(text):
    assert not _of(mentions_hemolysis, text)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("4.1", 4.1, False),
        ("4.10", 4.1, False),
        (".2", 0.2, False),
        ("4,1", 4.1, False),
        ("4.12", 4.1, False),  # rounded
        ("4.1 mEq/L", 4.1, False),
        ("K 4.1*", 4.1, False),
        ("4.1", 6.2, True),
        ("41", 4.1, True),
        ("4.1e0", 4.1, False),
        ("1e5", 1e5, False),
        ("ERROR", 6.2, True),
        ("ERROR", np.nan, False),  # no value, and that is said elsewhere
        ("see comment", 6.2, True),
        (">10", 10.0, False),
        ("GREATER THAN 10", 10.0, False),
        ("GROSSLY HEMOLYZED", 6.2, False),
        ("___", 6.2, False),
        (None, 6.2, False),
    ],
)
def test_a_contradiction_is_another_number_or_none(text, value, expected):
    assert _of(contradicts, text, np.array([value])) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [(">10", True), ("< 1.5", True), ("\u226510", True), ("10", False), (None, False)]
)
def test_a_bound_is_a_comparator(text, expected):
    assert _of(has_comparator, text) == expected


@pytest.mark.parametrize(
    "unit", ["mEq/L", "mmol/L", "MMOL/L", "mmol/litre", "mEq/Liter", "meq/l", " mmol / l ", "", None]
)
@pytest.mark.parametrize("own", ["mEq/L", "mmol/L", "MMOL/l"])
def test_a_millimole_of_potassium_is_a_milliequivalent_in_any_case(study, unit, own):
    assert not _of(is_other_unit, unit, dataclasses.replace(study.analyte, unit=own))


@pytest.mark.parametrize("unit", ["mg/dL", "mmol", "mmol/mL", "umol/L", "%"])
def test_other_units_are_other(study, unit):
    assert _of(is_other_unit, unit, study.analyte)


def test_a_millimole_of_an_ion_of_two_charges_is_another_unit(study):
    calcium = dataclasses.replace(study.analyte, name="ionized calcium", unit="mmol/L")
    assert not _of(is_other_unit, "MMOL/L", calcium)
    assert _of(is_other_unit, "mEq/L", calcium)
    assert not _of(is_other_unit, "mEq/L", dataclasses.replace(calcium, name="sodium"))
