from datetime import datetime

import pytest

from kalemia.cohort.characteristics import GROUPS, age_years, ethnicity_group, write_characteristics, write_people
from kalemia.core.tables import read_json, read_table, table_from_rows, write_table
from kalemia.report import chiu2022 as paper
from kalemia.sources.mimic_tables import read_people
from mirror import write_tables


def test_obscured_age_becomes_the_median_of_people_over_89():
    assert age_years(datetime(1850, 1, 1), datetime(2150, 6, 1)) == 91.4
    assert age_years(datetime(2090, 1, 1), datetime(2150, 1, 1)) == pytest.approx(60, abs=0.01)


def test_characteristics_by_hand(tmp_path):
    rows = [
        {"subject_id": s, "draw_id": 10 * s + i, "draw_time": datetime(2150, 1, 1 + i), "value": k, "label": label}
        for s in (1, 2, 3)
        for i, (k, label) in enumerate([(6.0, 1), (4.0, 0), (6.5, 1)])
    ]
    write_table(tmp_path / "q.parquet", "quality", table_from_rows("quality", rows))
    populations = [
        {"subject_id": 1, "population": "personal"},
        *({"subject_id": s, "population": "generic"} for s in (2, 3)),
    ]
    write_table(tmp_path / "p.parquet", "populations", table_from_rows("populations", populations))
    generic = [{"subject_id": s, "draw_id": 10 * s, "label": 1, "split": "train"} for s in (2, 3)]
    write_table(tmp_path / "g.parquet", "generic", table_from_rows("generic", generic))
    people = [(1, "M", 50), (2, "F", 60), (3, "M", 70)]
    stays = [(1, "WHITE"), (2, "UNKNOWN/NOT SPECIFIED"), (2, "BLACK/CAPE VERDEAN")]
    write_tables(
        tmp_path,
        PATIENTS=[f'{s},{s},"{sex}",{2150 - age}-01-01 00:00:00,,,,0' for s, sex, age in people],
        ADMISSIONS=[f'{i},{s},{i},2150-01-01 00:00:00,2150-01-09 00:00:00,"{of}"' for i, (s, of) in enumerate(stays)],
    )
    body = [
        {"subject_id": 2, "time": datetime(2150, 1, 1), "height_cm": 170.0},
        {"subject_id": 2, "time": datetime(2150, 3, 1), "height_cm": 180.0},
        {"subject_id": 2, "time": datetime(2149, 12, 31), "weight_kg": 70.0},
        {"subject_id": 3, "time": datetime(2150, 1, 2), "weight_kg": 80.0},
    ]
    write_table(tmp_path / "b.parquet", "height_weight", table_from_rows("height_weight", body))
    body, populations, quality, generic = (tmp_path / f"{name}.parquet" for name in "bpqg")
    write_characteristics(read_people(tmp_path), body, populations, [quality], generic, tmp_path / "c.json")
    result = read_json(tmp_path / "c.json")
    assert result["personal"]["potassium_positive_mean_sd"] == [6.25, pytest.approx(0.3535534)]
    assert result["personal"]["men"] == [1, 1.0]
    assert (result["generic"]["n"], result["generic"]["draws"], result["generic"]["positive"]) == (2, 2, 2)
    assert result["generic"]["potassium_negative_mean_sd"] == [None, None]
    assert result["generic"]["age_median_iqr"] == pytest.approx([65, 62.5, 67.5], abs=0.05)
    assert result["generic"]["ethnicity"]["African American"] == 1
    assert sum(result["generic"]["ethnicity"].values()) == 1
    assert result["generic"]["height_cm_median_iqr"] == [170, 170, 170]
    assert result["generic"]["weight_kg_median_iqr"] == [75, 72.5, 77.5]
    assert result["generic"]["missing"] == {"age": 0, "gender": 0, "ethnicity": 1, "height": 1, "weight": 0}
    assert result["personal"]["missing"]["height"] == 1


def test_everybody_with_a_draw_has_age_and_gender_where_they_are_known(tmp_path):
    draws = [
        {"subject_id": subject, "draw_id": i, "draw_time": datetime(year, 1, 1)}
        for i, (subject, year) in enumerate([(1, 2151), (1, 2150), (2, 2150)])
    ]
    write_table(tmp_path / "d.parquet", "draws", table_from_rows("draws", draws))
    write_tables(tmp_path, PATIENTS=['1,1,"F",2100-01-01 00:00:00,,,,0'], ADMISSIONS=[])
    for people, known in (
        (read_people(tmp_path), [(1, 50, "F"), (2, None, None)]),
        (None, [(1, None, None), (2, None, None)]),
    ):
        write_people(people, tmp_path / "d.parquet", "", tmp_path / "people.parquet")
        rows = read_table(tmp_path / "people.parquet", "people").to_pylist()
        assert [
            (row["subject_id"], row["age_years"] and round(row["age_years"]), row["gender"]) for row in rows
        ] == known


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("WHITE - RUSSIAN", "White"),
        ("BLACK/AFRICAN AMERICAN", "African American"),
        ("HISPANIC/LATINO - PUERTO RICAN", "Hispanic"),
        ("ASIAN - CHINESE", "Asian"),
        ("AMERICAN INDIAN/ALASKA NATIVE FEDERALLY RECOGNIZED TRIBE", "American Indian"),
        ("UNABLE TO OBTAIN", "unknown"),
        (None, "unknown"),
        ("MULTI RACE ETHNICITY", "other"),
    ],
)
def test_ethnicities_map_to_the_paper_s_groups(text, group):
    assert ethnicity_group(text) == group


def test_groups_match_the_paper_s_table():
    for population in paper.CHARACTERISTICS.values():
        assert tuple(population["ethnicity"]) == GROUPS
        assert sum(n for n, _ in population["ethnicity"].values()) == population["n"]
