"""The characteristics of both populations: what the paper's Table 1 shows."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kalemia.labs import read_csv_table
from kalemia.tables import read_table, write_json

DAYS_A_YEAR = 365.25
# MIMIC-III moves the birth of people older than 89 back by 300 years; their median age was 91.4.
OBSCURED_AGE, AGE_OVER_89 = 200.0, 91.4


def write_characteristics(
    tables: str | Path | None,
    populations_path: str | Path,
    quality_paths: Iterable[str | Path],
    generic_path: str | Path,
    path: str,
) -> None:
    """Write age at the first used draw, gender, draws and potassium of the generic and the personal population.

    Without `tables` nothing is known of age and gender.
    """
    populations = read_table(populations_path, "populations").to_pylist()
    generic_draws = set(read_table(generic_path, "generic")["draw_id"].to_pylist())
    patients = read_csv_table(tables, "PATIENTS", ["SUBJECT_ID", "GENDER", "DOB"]).to_pylist() if tables else []
    about = {row["SUBJECT_ID"]: row for row in patients}
    draws = [
        row
        for quality in quality_paths
        for row in read_table(
            quality, "quality", ["subject_id", "draw_id", "draw_time", "potassium", "label", "reason"]
        ).to_pylist()
        if row["reason"] is None
    ]
    result = {}
    for population in ("generic", "personal"):
        subjects = {row["subject_id"] for row in populations if row["population"] == population}
        used = [
            d
            for d in draws
            if d["subject_id"] in subjects and (population == "personal" or d["draw_id"] in generic_draws)
        ]
        result[population] = _characteristics(subjects, used, about)
    write_json(path, result)


def age_years(birth, time) -> float:
    """Age at a time; 91.4 where MIMIC-III obscured it because it was above 89."""
    years = (time - birth).days / DAYS_A_YEAR
    return AGE_OVER_89 if years > OBSCURED_AGE else years


def _characteristics(subjects: set[int], draws: list[dict], about: dict[int, dict]) -> dict:
    first: dict[int, object] = {}
    for draw in draws:
        first[draw["subject_id"]] = min(first.get(draw["subject_id"], draw["draw_time"]), draw["draw_time"])
    ages = [age_years(about[s]["DOB"], first[s]) for s in sorted(first) if s in about]
    men = sum(about[s]["GENDER"] == "M" for s in subjects if s in about)
    potassium = {label: np.array([d["potassium"] for d in draws if d["label"] == label], float) for label in (0, 1)}
    return {
        "n": len(subjects),
        "draws": len(draws),
        "positive": len(potassium[1]),
        "negative": len(potassium[0]),
        "age_median_iqr": [float(q) for q in np.percentile(ages, [50, 25, 75])] if ages else [None] * 3,
        "men": [men, men / len(subjects)] if subjects and about else [None, None],
        "potassium_negative_mean_sd": _mean_sd(potassium[0]),
        "potassium_positive_mean_sd": _mean_sd(potassium[1]),
    }


def _mean_sd(values: np.ndarray) -> list[float | None]:
    return [
        float(values.mean()) if len(values) else None,
        float(values.std(ddof=1)) if len(values) > 1 else None,
    ]
