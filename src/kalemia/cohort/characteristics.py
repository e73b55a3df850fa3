"""Describe both populations as in the paper's Table 1, and count missing values."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np

from kalemia.core.tables import read_table, table_from_rows, write_json, write_table
from kalemia.sources.people import People

DAYS_PER_YEAR = 365.25
# MIMIC-III shifts the birth of people older than 89 by 300 years into the past; their median age is 91.4.
OBSCURED_AGE_YEARS, AGE_OVER_89_YEARS = 200.0, 91.4
UNKNOWN = "unknown"
# The paper's groups -> the beginnings of MIMIC-III's ETHNICITY; the first match counts.
ETHNICITIES = {
    "White": ("WHITE", "PORTUGUESE"),
    "African American": ("BLACK",),
    "Hispanic": ("HISPANIC", "SOUTH AMERICAN"),
    "Asian": ("ASIAN",),
    "American Indian": ("AMERICAN INDIAN",),
    UNKNOWN: ("UNKNOWN", "UNABLE TO OBTAIN", "PATIENT DECLINED"),
}
GROUPS = (*(group for group in ETHNICITIES if group != UNKNOWN), "other", UNKNOWN)


def write_characteristics(
    people: People | None,
    body_path: str | Path | None,
    populations_path: str | Path,
    quality_paths: Iterable[str | Path],
    generic_path: str | Path,
    path: str | Path,
) -> None:
    """Write age at the first used draw, gender, ethnicity, height, weight, draws and potassium of both populations.

    Missing values are not imputed but counted, under ``missing``. Without `people`, age, gender and ethnicity are
    missing; without `body_path`, height and weight are. Raises `UserError` if a table cannot be read.
    """
    populations = read_table(populations_path, "populations").to_pylist()
    generic_draws = set(read_table(generic_path, "generic")["draw_id"].to_pylist())
    columns = ["subject_id", "draw_id", "draw_time", "value", "label", "reason"]
    draws = [
        row
        for quality in quality_paths
        for row in read_table(quality, "quality", columns).to_pylist()
        if row["reason"] is None
    ]
    subjects = {row["subject_id"] for row in populations if row["population"]}
    known = _collect(people, body_path, subjects)
    result = {}
    for population in ("generic", "personal"):
        subjects = {row["subject_id"] for row in populations if row["population"] == population}
        used = [
            d
            for d in draws
            if d["subject_id"] in subjects and (population == "personal" or d["draw_id"] in generic_draws)
        ]
        result[population] = _describe_population(subjects, used, known)
    write_json(path, result)


def write_people(people: People | None, draws_path: str | Path, digest: str, path: str | Path) -> None:
    """Write the age at the first draw and the gender of every subject with a draw; null without `people`."""
    first: dict[int, datetime] = {}
    for row in read_table(draws_path, "draws", ["subject_id", "draw_time"]).to_pylist():
        first[row["subject_id"]] = min(first.get(row["subject_id"], row["draw_time"]), row["draw_time"])
    births, genders = (people.births, people.genders) if people else ({}, {})
    rows = [
        {
            "subject_id": subject,
            "age_years": age_years(births[subject], time) if births.get(subject) else None,
            "gender": genders.get(subject),
        }
        for subject, time in sorted(first.items())
    ]
    write_table(path, "people", table_from_rows("people", rows), digest)


def age_years(birth: datetime, time: datetime) -> float:
    """Age at a time; 91.4 if MIMIC-III obscured it because it was above 89."""
    years = (time - birth).days / DAYS_PER_YEAR
    return AGE_OVER_89_YEARS if years > OBSCURED_AGE_YEARS else years


def ethnicity_group(text: str | None) -> str:
    """The paper's group for one of MIMIC-III's ethnicities."""
    text = (text or UNKNOWN).upper()
    return next((group for group, prefixes in ETHNICITIES.items() if text.startswith(prefixes)), "other")


def _collect(known: People | None, body_path: str | Path | None, subjects: set[int]) -> dict[str, dict]:
    """Characteristic -> subject -> value; height and weight are lists of (time, value)."""
    people: dict[str, dict] = {name: {} for name in ("birth", "gender", "ethnicity", "height_cm", "weight_kg")}
    if known:
        people["birth"], people["gender"] = known.births, known.genders
        people["ethnicity"] = _ethnicity_by_subject(known.ethnicities)
    if body_path:
        for row in read_table(body_path, "height_weight").to_pylist():
            for name in ("height_cm", "weight_kg"):
                if row["subject_id"] in subjects and row[name] is not None:
                    people[name].setdefault(row["subject_id"], []).append((row["time"], row[name]))
    return people


def _ethnicity_by_subject(rows: Iterable[tuple[int, int | None, str | None]]) -> dict[int, str]:
    """Each subject's most frequent group; known groups take precedence, then the order of `GROUPS`."""
    counts: dict[int, Counter] = {}
    for subject, _, text in rows:
        counts.setdefault(subject, Counter())[ethnicity_group(text)] += 1
    return {
        subject: max(GROUPS, key=lambda group: (count[group] > 0 and group != UNKNOWN, count[group]))
        for subject, count in counts.items()
    }


def _describe_population(subjects: set[int], draws: list[dict], people: dict[str, dict]) -> dict:
    first: dict[int, datetime] = {}
    for draw in draws:
        first[draw["subject_id"]] = min(first.get(draw["subject_id"], draw["draw_time"]), draw["draw_time"])
    births = {s: birth for s, birth in people["birth"].items() if birth is not None}
    ages = [age_years(births[s], first[s]) for s in sorted(first) if s in births]
    genders = [people["gender"][s] for s in subjects if people["gender"].get(s)]
    men = sum(gender == "M" for gender in genders)
    groups = Counter(people["ethnicity"][s] for s in subjects if s in people["ethnicity"])
    body = {
        name: [_closest_in_time(people[name][s], first[s]) for s in sorted(first) if s in people[name]]
        for name in ("height_cm", "weight_kg")
    }
    potassium = {label: np.array([d["value"] for d in draws if d["label"] == label], float) for label in (0, 1)}
    n = len(subjects)
    return {
        "n": n,
        "draws": len(draws),
        "positive": len(potassium[1]),
        "negative": len(potassium[0]),
        "age_median_iqr": _median_iqr(ages),
        "men": [men, men / len(genders)] if genders else [None, None],
        "ethnicity": {group: groups[group] for group in GROUPS} if groups else None,
        "height_cm_median_iqr": _median_iqr(body["height_cm"]),
        "weight_kg_median_iqr": _median_iqr(body["weight_kg"]),
        "potassium_negative_mean_sd": _mean_sd(potassium[0]),
        "potassium_positive_mean_sd": _mean_sd(potassium[1]),
        "missing": {
            "age": n - len(ages),
            "gender": n - len(genders),
            "ethnicity": n - groups.total(),
            "height": n - len(body["height_cm"]),
            "weight": n - len(body["weight_kg"]),
        },
    }


def _closest_in_time(measured: list[tuple[datetime, float]], time: datetime) -> float:
    """The value closest in time; among equally close ones the earlier, then the smaller."""
    return min(measured, key=lambda pair: (abs(pair[0] - time), pair))[1]


def _median_iqr(values: list[float]) -> list[float | None]:
    return [float(q) for q in np.percentile(values, [50, 25, 75])] if values else [None] * 3


def _mean_sd(values: np.ndarray) -> list[float | None]:
    return [
        float(values.mean()) if len(values) else None,
        float(values.std(ddof=1)) if len(values) > 1 else None,
    ]
