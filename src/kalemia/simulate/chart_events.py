"""Bedside charts of simulated patients: heights, weights and treatments, with MIMIC-III's columns and items."""

from datetime import datetime, timedelta

import numpy as np

from kalemia.core.seeds import rng
from kalemia.simulate.patients import Admission, Person
from kalemia.simulate.potassium_course import Draw

COLUMNS = {
    "CHARTEVENTS": "ROW_ID SUBJECT_ID HADM_ID ICUSTAY_ID ITEMID CHARTTIME STORETIME CGID VALUE VALUENUM VALUEUOM"
    " WARNING ERROR RESULTSTATUS STOPPED",
    "INPUTEVENTS_MV": "ROW_ID SUBJECT_ID HADM_ID ICUSTAY_ID STARTTIME ENDTIME ITEMID AMOUNT AMOUNTUOM RATE RATEUOM"
    " STORETIME CGID ORDERID LINKORDERID ORDERCATEGORYNAME SECONDARYORDERCATEGORYNAME ORDERCOMPONENTTYPEDESCRIPTION"
    " ORDERCATEGORYDESCRIPTION PATIENTWEIGHT TOTALAMOUNT TOTALAMOUNTUOM ISOPENBAG CONTINUEINNEXTDEPT CANCELREASON"
    " STATUSDESCRIPTION COMMENTS_EDITEDBY COMMENTS_CANCELEDBY COMMENTS_DATE ORIGINALAMOUNT ORIGINALRATE",
    "INPUTEVENTS_CV": "ROW_ID SUBJECT_ID HADM_ID ICUSTAY_ID CHARTTIME ITEMID AMOUNT AMOUNTUOM RATE RATEUOM STORETIME"
    " CGID ORDERID LINKORDERID STOPPED NEWBOTTLE ORIGINALAMOUNT ORIGINALAMOUNTUOM ORIGINALROUTE ORIGINALRATE"
    " ORIGINALRATEUOM ORIGINALSITE",
    "PRESCRIPTIONS": "ROW_ID SUBJECT_ID HADM_ID ICUSTAY_ID STARTDATE ENDDATE DRUG_TYPE DRUG DRUG_NAME_POE"
    " DRUG_NAME_GENERIC FORMULARY_DRUG_CD GSN NDC PROD_STRENGTH DOSE_VAL_RX DOSE_UNIT_RX FORM_VAL_DISP FORM_UNIT_DISP"
    " ROUTE",
    "PROCEDUREEVENTS_MV": "ROW_ID SUBJECT_ID HADM_ID ICUSTAY_ID STARTTIME ENDTIME ITEMID VALUE VALUEUOM LOCATION"
    " LOCATIONCATEGORY STORETIME CGID ORDERID LINKORDERID ORDERCATEGORYNAME SECONDARYORDERCATEGORYNAME"
    " ORDERCATEGORYDESCRIPTION ISOPENBAG CONTINUEINNEXTDEPT CANCELREASON STATUSDESCRIPTION COMMENTS_EDITEDBY"
    " COMMENTS_CANCELEDBY COMMENTS_DATE",
}
HEIGHT_INCHES, ADMISSION_WEIGHT, DAILY_WEIGHT, HEART_RATE = 226707, 226512, 224639, 220045
INSULIN, CALCIUM, BICARBONATE, SALINE, HEMODIALYSIS = 223258, 221456, 220995, 225158, 225441
TREATED_ABOVE = 5.5  # mEq/L


def charted_rows(people: list[Person], seed: int) -> dict[str, list[list]]:
    """The rows of each of `COLUMNS`, without their ROW_ID. No patient is from CareVue, the older system."""
    events: dict[str, list[dict]] = {name: [] for name in COLUMNS}
    for person in people:
        random = rng(seed, "charted", person.subject_id)
        height_cm = float(random.normal(176 if person.sex == "M" else 163, 7))
        weight_kg = float(np.clip(random.normal(29, 6), 17, 55) * (height_cm / 100) ** 2)
        for admission in person.admissions:
            common = {
                "SUBJECT_ID": person.subject_id,
                "HADM_ID": admission.hadm_id,
                "ICUSTAY_ID": admission.icustay_id,
            }
            of_stay = _body(admission, height_cm, weight_kg, random)
            for draw in admission.draws:
                of_stay += _treatments(admission, draw, person.population == "personal", random)
            for table, event in of_stay:
                events[table].append(common | event)
    return {
        table: [[event.get(column) for column in COLUMNS[table].split()[1:]] for event in of_table]
        for table, of_table in events.items()
    }


def _body(
    admission: Admission, height_cm: float, weight_kg: float, random: np.random.Generator
) -> list[tuple[str, dict]]:
    """The height and weights of a patient; some are not charted, and one height in fifty is marked as an error."""
    into = (admission.admitted + timedelta(hours=1, minutes=int(random.integers(5, 90)))).replace(second=0)
    events = [_charted(HEART_RATE, into, round(float(random.normal(85, 10))), "bpm")]
    if random.random() < 0.8:
        inches = round(height_cm / 2.54)
        events.append(_charted(HEIGHT_INCHES, into, inches, "Inch", error=int(random.random() < 0.02)))
    if random.random() < 0.9:
        events.append(_charted(ADMISSION_WEIGHT, into, round(weight_kg, 1), "kg"))
        later = round(weight_kg + float(random.normal(0.5, 1)), 1)
        events.append(_charted(DAILY_WEIGHT, into + timedelta(days=1), later, "kg"))
    return events


def _charted(item: int, time: datetime, value: float, unit: str, error: int = 0) -> tuple[str, dict]:
    event = {"ITEMID": item, "CHARTTIME": time, "STORETIME": time, "VALUE": f"{value:g}", "VALUENUM": value}
    return "CHARTEVENTS", event | {"VALUEUOM": unit, "WARNING": 0, "ERROR": error}


def _treatments(
    admission: Admission, draw: Draw, may_be_dialyzed: bool, random: np.random.Generator
) -> list[tuple[str, dict]]:
    """The treatment after a value is known; most often only saline."""
    known = admission.at(draw.hours + float(random.uniform(1, 2))).replace(second=0, microsecond=0)
    is_high = draw.reported > TREATED_ABOVE
    chances = {INSULIN: (0.5, 10, "units"), CALCIUM: (0.35, 2, "grams"), BICARBONATE: (0.15, 50, "mEq")}
    events = [_bolus(SALINE, known, 100, "ml", "FinishedRunning")]
    for item, (chance, amount, unit) in chances.items():
        if random.random() < (chance if is_high else 0.03):
            status = "Rewritten" if random.random() < 0.03 else "FinishedRunning"
            events.append(_bolus(item, known, amount, unit, status))
    if random.random() < 0.05:
        first = known.replace(hour=0, minute=0)
        last = first + timedelta(days=int(random.integers(0, 4)))
        order = {"STARTDATE": first, "ENDDATE": last, "DRUG_TYPE": "MAIN", "DRUG": "Insulin", "ROUTE": "SC"}
        events.append(("PRESCRIPTIONS", order))
    if is_high and may_be_dialyzed and random.random() < 0.15:
        session = {"STARTTIME": known, "ENDTIME": known + timedelta(hours=3), "ITEMID": HEMODIALYSIS, "VALUE": 180}
        events.append(("PROCEDUREEVENTS_MV", session | {"VALUEUOM": "min", "STATUSDESCRIPTION": "FinishedRunning"}))
    return events


def _bolus(item: int, time: datetime, amount: float, unit: str, status: str) -> tuple[str, dict]:
    """A single dose; as in MetaVision, it ends after a minute."""
    event = {"STARTTIME": time, "ENDTIME": time + timedelta(minutes=1), "STORETIME": time, "ITEMID": item}
    amounts = {"AMOUNT": amount, "AMOUNTUOM": unit, "ORDERCATEGORYNAME": "05-Med Bolus"}
    return "INPUTEVENTS_MV", event | amounts | {"STATUSDESCRIPTION": status}
