from datetime import datetime, timedelta

import numpy as np
import pyarrow.compute as pc
import pytest

from kalemia.cohort.control_values import match_nearest, write_control_values
from kalemia.cohort.labs import build_draws
from kalemia.core.errors import UserError
from kalemia.core.tables import read_table, table_from_rows, write_table
from kalemia.sources.mimic_tables import analyte_rows
from kalemia.sources.physionet import PhysioNet
from kalemia.sources.user_recordings import UserRecordings
from mirror import write_tables

TIME = datetime(2150, 1, 1, 8)


def _times(*hours):
    return np.array([np.datetime64(TIME, "us") + np.timedelta64(round(hour * 3600), "s") for hour in hours])


def test_each_draw_has_the_nearest_value_of_its_own_subject():
    draws = np.array([7, 7, 8, 9]), _times(0, 5, 5, 5)
    values = np.array([7, 7, 7, 8]), _times(-0.5, 0.25, 9, 5.5)
    index, hours = match_nearest(draws, values)
    np.testing.assert_allclose(hours, [0.25, 4.0, 0.5, np.nan])
    assert index[:3].tolist() == [1, 2, 3]


def test_of_two_equally_near_values_the_earlier_is_taken():
    index, hours = match_nearest((np.array([7]), _times(1)), (np.array([7, 7]), _times(0.5, 1.5)))
    assert (index.tolist(), hours.tolist()) == ([0], [-0.5])


def _row(number, subject, item, hours, value, unit="mEq/L"):
    return f'{number},{subject},,{item},{TIME + timedelta(hours=hours)},"{value}",{value},"{unit}",'


def _draws(path, *draws):
    rows = [
        {"draw_id": number, "subject_id": subject, "draw_time": TIME + timedelta(hours=hours)}
        | {"candidate_population": population}
        for number, subject, hours, population in draws
    ]
    write_table(path, "draws", table_from_rows("draws", rows))


@pytest.fixture
def tables(tmp_path):
    labs = [
        _row(1, 7, 50983, 0, 139),
        _row(2, 7, 50983, 4.5, 141),
        _row(3, 7, 50983, 9, 900),
        _row(4, 8, 50983, 0, 137),
    ]
    labs += [_row(5, 7, 50971, 0, 5.9), _row(6, 7, 50912, 0, 1.2, "mg/dL"), _row(7, 7, 50983, 20, 139, "mg/dL")]
    write_tables(tmp_path, LABEVENTS=labs)
    _draws(
        tmp_path / "draws.parquet",
        (10, 7, 0, "personal"), (11, 7, 4, "personal"), (12, 7, 9, "personal"), (13, 7, 20, "personal"),
        (14, 8, 0, "generic"), (15, 9, 0, "personal"),
    )  # fmt: skip
    return tmp_path


def _written(source, control, folder):
    write_control_values(source, control, folder / "draws.parquet", "d", folder / "c.parquet")
    return [tuple(row.values()) for row in read_table(folder / "c.parquet", "control_values", digest="d").to_pylist()]


def test_draws_of_personal_candidates_have_a_usable_value_within_an_hour(tables):
    assert _written(PhysioNet(tables, tables), "sodium", tables) == [(7, 10, 139.0, 0.0), (7, 11, 141.0, 0.5)]
    assert _written(PhysioNet(tables, tables), "creatinine", tables) == [(7, 10, 1.2, 0.0)]


def test_an_analyte_without_any_value_is_one_line(tables):
    with pytest.raises(UserError, match="no usable value of hemoglobin; leave it out") as error:
        _written(PhysioNet(tables, tables), "hemoglobin", tables)
    assert "\n" not in str(error.value)


def test_own_tables_have_other_analytes_in_columns_of_their_names(tmp_path):
    (tmp_path / "recordings.csv").write_text("subject,start,path,lead\n7,2150-01-01 00:00:00,a.edf,II\n")
    lines = ["subject,time,potassium,sodium", "7,2150-01-01 08:00:00,5.9,139", "7,2150-01-01 12:00:00,4.1,"]
    (tmp_path / "potassium.csv").write_text("\n".join([*lines, "7,2150-01-01 12:30:00,,141"]) + "\n")
    _draws(tmp_path / "draws.parquet", (1, 7, 0, "personal"), (2, 7, 4, "personal"))
    source = UserRecordings(tmp_path, tmp_path)
    assert _written(source, "sodium", tmp_path) == [(7, 1, 139.0, 0.0), (7, 2, 141.0, 0.5)]
    with pytest.raises(UserError, match="has no column 'creatinine'"):
        source.control_rows("creatinine")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("control", "lowest", "highest"),
    [("sodium", 110, 170), ("hemoglobin", 3, 20), ("creatinine", 0.2, 20), ("bicarbonate", 5, 50)],
)
def test_most_real_potassium_values_have_the_other_analytes_beside_them(
    real_data, study, tmp_path, control, lowest, highest
):
    tables = real_data / "mimiciii-demo"
    draws = build_draws(analyte_rows(tables, study.analyte.items), study.analyte)
    draws = draws.filter(pc.is_null(draws["reason"]))
    personal = draws.select(["draw_id", "subject_id", "draw_time"]).to_pylist()
    rows = [row | {"candidate_population": "personal"} for row in personal]
    write_table(tmp_path / "draws.parquet", "draws", table_from_rows("draws", rows))
    rows = _written(PhysioNet(tmp_path, tables), control, tmp_path)
    values = np.array([value for _, _, value, _ in rows])
    assert len(rows) > 0.75 * len(draws)
    assert values.min() >= lowest
    assert values.max() <= highest
